// Signals that come while a thread waits for them end its wait, and each timer runs out once: also when the
// process stood still just then.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t alarms, ticks;
static void note(int signal) {
  if (signal == SIGALRM) alarms++;
  else ticks++;
}

// One wait that only a signal can end; where none does, it takes so long that it counts as lost.
static int wait_for_signal(int way, int poller, const sigset_t *none) {
  struct timespec long_time = {20, 0};
  struct epoll_event event;
  switch (way) {
    case 0: return sigsuspend(none);
    case 1: return ppoll(NULL, 0, &long_time, none);
    case 2: return pselect(0, NULL, NULL, NULL, &long_time, none);
    default: return epoll_pwait(poller, &event, 1, 20000, none);
  }
}

int main(void) {
  struct sigaction action = {.sa_handler = note};
  sigaction(SIGALRM, &action, NULL);
  sigaction(SIGUSR2, &action, NULL);
  sigset_t both, none;
  sigemptyset(&none);
  sigemptyset(&both);
  sigaddset(&both, SIGALRM);
  sigaddset(&both, SIGUSR2);
  sigprocmask(SIG_BLOCK, &both, NULL);
  int poller = epoll_create1(0);
  timer_t timer;
  struct sigevent way = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
  if (timer_create(CLOCK_MONOTONIC, &way, &timer)) return 1;
  for (int round = 0; round < 900; round++) {
    int before = alarms + ticks;
    if (round % 2) {
      struct itimerval once = {{0, 0}, {0, 3000}};
      setitimer(ITIMER_REAL, &once, NULL);
    } else {
      struct itimerspec once = {{0, 0}, {0, 3000000}};
      timer_settime(timer, 0, &once, NULL);
    }
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (wait_for_signal(round / 2 % 4, poller, &none) != -1 || errno != EINTR) return 10 + round / 2 % 4;
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (end.tv_sec - start.tv_sec > 10) return 20 + round / 2 % 4;
    // Long enough for another one to come, if one came twice.
    struct timespec rest = {0, 100000};
    sigprocmask(SIG_UNBLOCK, &both, NULL);
    nanosleep(&rest, NULL);
    sigprocmask(SIG_BLOCK, &both, NULL);
    if (alarms + ticks != before + 1) return 30 + alarms + ticks - before;
  }
  return 0;
}
