// Two processes that wake each other by signals, in every way of waiting: neither ever misses one, though they are
// stopped and let go one after the other.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t came;
static void note(int signal) { (void)signal, came = 1; }

static void wait_for_signal(int way, int poller, const sigset_t *none) {
  struct timespec long_time = {1000, 0};
  struct epoll_event event;
  switch (way) {
    case 0: sigsuspend(none); break;
    case 1: ppoll(NULL, 0, &long_time, none); break;
    case 2: pselect(0, NULL, NULL, NULL, NULL, none); break;
    default: epoll_pwait(poller, &event, 1, 1000000, none);
  }
}

enum { ROUNDS = 2000 };

int main(void) {
  struct sigaction action = {.sa_handler = note};
  sigaction(SIGUSR1, &action, NULL);
  sigset_t one, none;
  sigemptyset(&none);
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  sigprocmask(SIG_BLOCK, &one, NULL);
  pid_t parent = getpid(), other = fork();
  if (other < 0) return 96;
  int is_child = other == 0;
  if (is_child) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    other = parent;
  }
  int poller = epoll_create1(0);
  for (int round = 0; round < ROUNDS; round++) {
    if (!is_child) kill(other, SIGUSR1);
    // A wait that ends for no reason is begun anew.
    while (!came) wait_for_signal(round % 4, poller, &none);
    came = 0;
    if (!is_child) continue;
    // Also such that the other one is stopped by then.
    if (round % 3) usleep((useconds_t)(rand() % 3000));
    kill(other, SIGUSR1);
  }
  if (is_child) _exit(7);
  int status;
  while (waitpid(other, &status, 0) != other)
    if (errno != EINTR) return 1;
  return WIFEXITED(status) && WEXITSTATUS(status) == 7 ? 0 : 2;
}
