// More signals wait than may be queued by now, with what they carry and in their order; some are timers'.
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { sent = 6, timers = 4 };

// Whether the next ones that wait under this number carry these values, and no more wait.
static int come(int signal, int count, int first) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  siginfo_t information;
  struct timespec none = {0, 0};
  for (int i = 0; i < count; i++) {
    if (sigtimedwait(&set, &information, &none) != signal || information.si_value.sival_int != first + i) return 0;
  }
  return sigtimedwait(&set, &information, &none) == -1;
}

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 1);
  sigaddset(&set, SIGRTMIN + 2);
  sigprocmask(SIG_BLOCK, &set, NULL);
  for (int i = 0; i < timers; i++) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2, .sigev_value = {.sival_int = 200 + i}};
    struct itimerspec soon = {{0, 0}, {0, 1000000 * (i + 1)}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &soon, NULL)) return 1;
  }
  for (int i = 0; i < sent; i++) {
    union sigval value = {.sival_int = 100 + i};
    if (sigqueue(getpid(), SIGRTMIN + 1, value)) return 2;
  }
  usleep(50000);
  struct rlimit few = {3, 3}, seen;
  if (setrlimit(RLIMIT_SIGPENDING, &few)) return 3;
  for (int i = 0; i < 100; i++) usleep(20000);
  if (!come(SIGRTMIN + 1, sent, 100)) return 4;
  if (!come(SIGRTMIN + 2, timers, 200)) return 5;
  return getrlimit(RLIMIT_SIGPENDING, &seen) || seen.rlim_cur != 3 || seen.rlim_max != 3 ? 6 : 0;
}
