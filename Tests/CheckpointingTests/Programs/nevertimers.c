// Timers that are set so far ahead that they never run out: none may run out, stand still or be refused.
#include <limits.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const int clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME};
static const long moments[] = {LONG_MAX, 9223372036, 9223372035, 8589934592};
enum { CLOCKS = 3, MOMENTS = 4, LONG_TIME = 1000000000 };

int main(void) {
  int timers[CLOCKS][MOMENTS][3];
  struct itimerval held = {{LONG_MAX, 0}, {LONG_MAX, 999999}};
  for (int clock = 0; clock < CLOCKS; clock++)
    for (int moment = 0; moment < MOMENTS; moment++)
      for (int kind = 0; kind < 3; kind++) {
        // Until then, at that time, and soon but never again.
        int timer = timers[clock][moment][kind] = timerfd_create(clocks[clock], TFD_NONBLOCK);
        struct itimerspec value = {{kind == 2 ? moments[moment] : 0, 0}, {kind == 2 ? 1 : moments[moment], 0}};
        if (timer < 0 || timerfd_settime(timer, kind == 1 ? TFD_TIMER_ABSTIME : 0, &value, NULL)) return 1;
      }
  for (int which = ITIMER_REAL; which <= ITIMER_VIRTUAL; which++)
    if (setitimer(which, &held, NULL)) return 2;

  for (int i = 0; i < 150; i++) usleep(10000);

  for (int clock = 0; clock < CLOCKS; clock++)
    for (int moment = 0; moment < MOMENTS; moment++)
      for (int kind = 0; kind < 3; kind++) {
        struct itimerspec value;
        long count = 0;
        if (timerfd_gettime(timers[clock][moment][kind], &value) || value.it_value.tv_sec < LONG_TIME) {
          if (kind != 2 || value.it_value.tv_sec > 1) return printf("%d %d %d: %ld\n", clock, moment, kind, value.it_value.tv_sec), 3;
        }
        if (kind != 2 && read(timers[clock][moment][kind], &count, 8) != -1) return 4;
        if (kind == 2 && value.it_interval.tv_sec < LONG_TIME) return 5;
      }
  if (getitimer(ITIMER_REAL, &held) || held.it_value.tv_sec < LONG_TIME) return 6;
  return 0;
}
