// Timers run out again and again while their signals wait: of each there is one signal, which counts the rest.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { KINDS = 4, PERIOD = 2000000, RUN = 1500 };

static double monotonic(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(void) {
  const clockid_t clocks[KINDS] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_MONOTONIC};
  sigset_t held;
  sigemptyset(&held);
  for (int kind = 0; kind < KINDS; kind++) sigaddset(&held, SIGRTMIN + kind);
  sigaddset(&held, SIGUSR1);
  sigprocmask(SIG_BLOCK, &held, NULL);
  timer_t timers[KINDS], single;
  for (int kind = 0; kind < KINDS; kind++) {
    // The last goes to a thread.
    struct sigevent event = {
      .sigev_notify = kind == KINDS - 1 ? SIGEV_THREAD_ID : SIGEV_SIGNAL,
      .sigev_signo = SIGRTMIN + kind,
      .sigev_value.sival_int = 70 + kind};
    if (kind == KINDS - 1) event._sigev_un._tid = gettid();
    const struct itimerspec times = {{0, PERIOD}, {0, PERIOD}};
    if (timer_create(clocks[kind], &event, &timers[kind]) || timer_settime(timers[kind], 0, &times, NULL))
      return 1;
  }
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  const struct itimerspec once = {{0, 0}, {0, PERIOD}};
  if (timer_create(CLOCK_MONOTONIC, &event, &single) || timer_settime(single, 0, &once, NULL)) return 2;
  for (int i = 0; i < RUN; i++) usleep(1000);

  const struct timespec none = {0, 0};
  siginfo_t information;
  for (int kind = 0; kind < KINDS; kind++) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGRTMIN + kind);
    if (sigtimedwait(&one, &information, &none) < 0) return 10 + kind;
    if (information.si_code != SI_TIMER || information.si_value.sival_int != 70 + kind) return 20 + kind;
    // Time has passed since the last restore.
    printf("%d: %d\n", kind, information.si_overrun);
    if (information.si_overrun < 5) return 30 + kind;
    // What comes now has run out after that one.
    const double start = monotonic();
    int ticks = 0;
    while (monotonic() < start + 0.1)
      if (sigtimedwait(&one, &information, &none) > 0) ticks += 1 + information.si_overrun;
    if (ticks > 52) return 40 + kind;
    if (ticks < 45) return 50 + kind;
    const struct itimerspec stop = {{0, 0}, {0, 0}};
    timer_settime(timers[kind], 0, &stop, NULL);
  }
  sigset_t last;
  sigemptyset(&last);
  sigaddset(&last, SIGUSR1);
  if (sigtimedwait(&last, &information, &none) < 0 || information.si_code != SI_TIMER) return 3;
  if (sigtimedwait(&last, &information, &none) > 0) return 4;
  struct itimerspec left;
  if (timer_gettime(single, &left) || left.it_value.tv_sec || left.it_value.tv_nsec) return 5;
  return 0;
}
