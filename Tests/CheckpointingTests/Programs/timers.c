// Interval timers and POSIX timers run on: each goes off as often as it should, and not at once.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int alarms, posix, once;
static void on_alarm(int signal) { (void)signal, alarms++; }
static void on_timer(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  if (info->si_code == SI_TIMER && info->si_value.sival_int == 77) posix += 1 + info->si_overrun;
}
static void on_once(int signal) { (void)signal, once++; }

int main(void) {
  signal(SIGALRM, on_alarm);
  signal(SIGUSR1, on_once);
  struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGRTMIN + 1, &action, NULL);
  struct itimerval interval = {{0, 100000}, {0, 100000}};
  setitimer(ITIMER_REAL, &interval, NULL);
  struct sigevent event = {
    .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 77};
  timer_t first, unused, timer, single;
  // Numbers of timers have gaps.
  timer_create(CLOCK_MONOTONIC, NULL, &first);
  timer_create(CLOCK_MONOTONIC, NULL, &unused);
  if (timer_create(CLOCK_MONOTONIC, &event, &timer)) return 1;
  timer_delete(unused);
  struct itimerspec spec = {{0, 50000000}, {0, 50000000}};
  timer_settime(timer, 0, &spec, NULL);
  struct sigevent last = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  timer_create(CLOCK_REALTIME, &last, &single);
  struct itimerspec end = {{0, 0}, {1, 0}};
  timer_settime(single, 0, &end, NULL);
  while (!once) pause();
  struct itimerspec left;
  if (timer_gettime(first, &left) || left.it_value.tv_sec || left.it_value.tv_nsec) return 2;
  if (timer_gettime(timer, &left) || left.it_interval.tv_nsec != 50000000) return 3;
  if (alarms < 5 || alarms > 12) return 4;
  if (posix < 12 || posix > 25) return 5;
  return once == 1 ? 0 : 6;
}
