// A timer by the time of day, which nobody reads, counts every time that it ran out, also while the program was away.
#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD = 20000000 };

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return time.tv_sec * 1000000000ll + time.tv_nsec;
}

int main(void) {
  int64_t first = now() + PERIOD;
  struct itimerspec times = {{0, PERIOD}, {first / 1000000000, first % 1000000000}};
  int timer = timerfd_create(CLOCK_REALTIME, 0);
  if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &times, 0)) return 1;
  struct timespec short_time = {0, 2000000};
  // To the middle of a period, so that it does not matter by how little the timer was set late.
  while (now() < first + 100ll * PERIOD + PERIOD / 2) nanosleep(&short_time, 0);
  uint64_t ticks;
  int64_t before = (now() - first) / PERIOD + 1;
  if (read(timer, &ticks, 8) != 8) return 2;
  int64_t after = (now() - first) / PERIOD + 1;
  if ((int64_t)ticks < before) return 3;
  return (int64_t)ticks > after ? 4 : 0;
}
