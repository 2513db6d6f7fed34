// Timers that run out at the very moment in which they are looked at: none may stand still afterwards.
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { COUNT = 200 };

static long monotonic_milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(void) {
  static int often[COUNT], once[COUNT];
  const struct itimerspec every = {{0, 1000000}, {0, 1000000}}, soon = {{0, 0}, {0, 1000000}};
  // Always due, however quick one looks.
  const struct itimerspec hasty = {{0, 5000}, {0, 5000}};
  for (int i = 0; i < COUNT; i++) {
    often[i] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    once[i] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    if (often[i] < 0 || once[i] < 0) return 1;
    if (timerfd_settime(often[i], 0, i % 8 ? &every : &hasty, 0) || timerfd_settime(once[i], 0, &soon, 0)) return 2;
  }
  // Those that run out once are set again as soon as they have; nobody reads the others until the end.
  uint64_t value;
  for (long end = monotonic_milliseconds() + 1500; monotonic_milliseconds() < end;)
    for (int i = 0; i < COUNT; i++)
      if (read(once[i], &value, 8) == 8 && timerfd_settime(once[i], 0, &soon, 0)) return 3;
  for (int i = 0; i < COUNT; i++) {
    struct pollfd one = {once[i], POLLIN, 0};
    if (poll(&one, 1, 2000) != 1) return 4;
    struct pollfd many = {often[i], POLLIN, 0};
    for (int again = 0; again < 2; again++)
      if (poll(&many, 1, 2000) != 1 || read(often[i], &value, 8) != 8) return 5;
  }
  return 0;
}
