// More signals wait than may be queued by now, with what they carry and in their order.
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  for (int i = 0; i < 6; i++) {
    union sigval value = {.sival_int = 100 + i};
    if (sigqueue(getpid(), SIGRTMIN + 1, value)) return 1;
  }
  struct rlimit few = {3, 3}, seen;
  if (setrlimit(RLIMIT_SIGPENDING, &few)) return 2;
  for (int i = 0; i < 100; i++) usleep(20000);
  for (int i = 0; i < 6; i++) {
    siginfo_t information;
    struct timespec none = {0, 0};
    if (sigtimedwait(&set, &information, &none) != SIGRTMIN + 1) return 3;
    if (information.si_value.sival_int != 100 + i) return 4;
  }
  return getrlimit(RLIMIT_SIGPENDING, &seen) || seen.rlim_cur != 3 || seen.rlim_max != 3 ? 5 : 0;
}
