// Counters, timers and signals as descriptors: none may lose, gain or repeat anything.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static void nap(long milliseconds) {
  struct timespec left = {0, milliseconds * 1000000};
  while (nanosleep(&left, &left)) {}
}

static long monotonic_milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(void) {
  long begin = monotonic_milliseconds();
  int counter = eventfd(7, EFD_NONBLOCK), semaphore = eventfd(3, EFD_SEMAPHORE | EFD_CLOEXEC);
  int large = eventfd(0, EFD_NONBLOCK);
  uint64_t value = UINT64_MAX - 1;
  if (write(large, &value, 8) != 8) return 1;

  int often = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct itimerspec every = {{0, 50000000}, {0, 50000000}};
  timerfd_settime(often, 0, &every, NULL);
  int once = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK);
  struct itimerspec soon = {{0, 0}, {0, 1000000}};
  timerfd_settime(once, 0, &soon, NULL);  // runs out at once, and is read at the end
  int unread = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct itimerspec quick = {{0, 10000000}, {0, 10000000}};
  timerfd_settime(unread, 0, &quick, NULL);
  int late = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec far = {{7, 5}, {1000, 0}};
  timerfd_settime(late, 0, &far, NULL);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  int absolute = timerfd_create(CLOCK_REALTIME, 0);
  struct itimerspec then = {{0, 0}, {now.tv_sec + 1, now.tv_nsec}};
  timerfd_settime(absolute, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &then, NULL);
  int still = timerfd_create(CLOCK_MONOTONIC, 0);
  clock_gettime(CLOCK_BOOTTIME, &now);
  int wakes = timerfd_create(CLOCK_BOOTTIME_ALARM, 0);
  struct itimerspec much_later = {{0, 0}, {now.tv_sec + 1000, now.tv_nsec}};
  int may_wake = wakes >= 0 && !timerfd_settime(wakes, TFD_TIMER_ABSTIME, &much_later, NULL);

  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 3);
  sigaddset(&set, SIGUSR2);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int signals = signalfd(-1, &set, SFD_NONBLOCK);
  union sigval carried = {.sival_int = 4711};
  sigqueue(getpid(), SIGRTMIN + 3, carried);
  raise(SIGUSR2);

  uint64_t sum = 7, ticks = 0;
  for (int i = 0; i < 180; i++) {
    value = 3;
    if (write(counter, &value, 8) != 8) return 2;
    sum += 3;
    if (read(often, &value, 8) == 8) ticks += value;
    else if (errno != EAGAIN) return 3;
    nap(10);
  }
  if (read(counter, &value, 8) != 8 || value != sum) return 4;
  if (read(counter, &value, 8) != -1 || errno != EAGAIN) return 5;
  for (int i = 0; i < 3; i++)
    if (read(semaphore, &value, 8) != 8 || value != 1) return 6;
  struct pollfd empty = {semaphore, POLLIN, 0};
  if (poll(&empty, 1, 0) != 0) return 7;
  if (fcntl(semaphore, F_GETFD) != FD_CLOEXEC || fcntl(semaphore, F_GETFL) & O_NONBLOCK) return 8;
  if (read(large, &value, 8) != 8 || value != UINT64_MAX - 1) return 9;

  // However slow the machine is: no more than there was time for.
  if (ticks < 15 || ticks > (uint64_t)(monotonic_milliseconds() - begin) / 50) return 10;
  if (read(once, &value, 8) != 8 || value != 1) return 11;
  if (read(once, &value, 8) != -1 || errno != EAGAIN) return 12;
  if (read(unread, &value, 8) != 8 || value < 80) return 13;
  if (value > (uint64_t)(monotonic_milliseconds() - begin) / 10) return 21;
  struct itimerspec seen;
  if (timerfd_gettime(late, &seen) || seen.it_interval.tv_sec != 7 || seen.it_interval.tv_nsec != 5) return 14;
  if (seen.it_value.tv_sec < 900 || seen.it_value.tv_sec >= 1000) return 15;
  if (read(absolute, &value, 8) != 8 || value != 1) return 16;
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  if (end.tv_sec < then.it_value.tv_sec) return 17;
  if (timerfd_gettime(still, &seen) || seen.it_value.tv_sec || seen.it_value.tv_nsec) return 18;

  if (may_wake) {
    if (timerfd_gettime(wakes, &seen) || seen.it_value.tv_sec < 900 || seen.it_value.tv_sec >= 1000) return 22;
  }

  struct signalfd_siginfo got[3];
  if (read(signals, got, sizeof got) != 2 * sizeof got[0]) return 19;
  for (int i = 0; i < 2; i++) {
    if (got[i].ssi_signo == (unsigned)SIGRTMIN + 3 && got[i].ssi_int == 4711) continue;
    if (got[i].ssi_signo != SIGUSR2) return 20;
  }
  return 0;
}
