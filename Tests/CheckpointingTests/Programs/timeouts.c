// Threads that wait for a hundred seconds, each in another call; how long they still have to is for others to
// ask. An argument says how many have begun.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kinds = 9 };

static void *wait_by(void *argument) {
  static const char *names[kinds] = {"sleep",  "sleep-rest", "clock",  "poll", "futex",
                                     "select", "ppoll",      "epoll", "epoll-mask"};
  long kind = (long)argument;
  prctl(PR_SET_NAME, names[kind]);
  struct timespec time = {100, 0}, rest;
  struct timeval value = {100, 0};
  struct epoll_event event;
  static int word;
  sigset_t none;
  sigemptyset(&none);
  switch (kind) {
    case 0: syscall(SYS_nanosleep, &time, NULL); break;
    case 1: syscall(SYS_nanosleep, &time, &rest); break;
    case 2: clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL); break;
    case 3: poll(NULL, 0, 100000); break;
    case 4: syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &time, NULL, 0); break;
    case 5: select(0, NULL, NULL, NULL, &value); break;
    case 6: ppoll(NULL, 0, &time, NULL); break;
    case 7: epoll_wait(epoll_create1(0), &event, 1, 100000); break;
    case 8: epoll_pwait(epoll_create1(0), &event, 1, 100000, &none); break;
  }
  // None of these ends while it is looked at.
  _exit(1 + (int)kind);
}

int main(void) {
  pthread_t threads[kinds];
  for (long kind = 0; kind < kinds; kind++) pthread_create(&threads[kind], NULL, wait_by, (void *)kind);
  sleep(90);
  return 0;
}
