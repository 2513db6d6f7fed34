// Calls that wait: none may tell that the program was stopped, and none may end early.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int ends[2];

static void *wait_by(void *argument) {
  long kind = (long)argument;
  double start = now();
  struct timespec second = {1, 500000000}, left;
  int result = 0;
  switch (kind) {
    case 0: result = nanosleep(&second, NULL); break;
    case 1: result = nanosleep(&second, &left); break;
    case 2: {
      struct timespec end;
      clock_gettime(CLOCK_MONOTONIC, &end);
      end.tv_sec += 1;
      end.tv_nsec += 500000000;
      if (end.tv_nsec >= 1000000000) end.tv_sec++, end.tv_nsec -= 1000000000;
      result = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
      break;
    }
    case 3: {
      struct pollfd one = {.fd = ends[0], .events = POLLIN};
      result = poll(&one, 1, 1500);
      break;
    }
    case 4: {
      fd_set set;
      FD_ZERO(&set);
      FD_SET(ends[0], &set);
      struct timeval time = {1, 500000};
      result = select(ends[0] + 1, &set, NULL, NULL, &time);
      break;
    }
    case 5: {
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, SIGUSR2);
      result = sigtimedwait(&set, NULL, &second);
      if (result == -1 && errno == EAGAIN) result = 0;
      break;
    }
    case 6: {
      sem_t never;
      sem_init(&never, 0, 0);
      struct timespec end;
      clock_gettime(CLOCK_REALTIME, &end);
      end.tv_sec += 2;
      result = sem_timedwait(&never, &end);
      if (result == -1 && errno == ETIMEDOUT) result = 0;
      break;
    }
  }
  return (void *)(long)(result == 0 && now() - start > 1.45 ? 0 : kind + 1);
}

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  if (pipe(ends)) return 100;
  enum { kinds = 7 };
  pthread_t threads[kinds];
  for (long kind = 0; kind < kinds; kind++) pthread_create(&threads[kind], NULL, wait_by, (void *)kind);
  for (int kind = 0; kind < kinds; kind++) {
    void *wrong;
    pthread_join(threads[kind], &wrong);
    if (wrong) return (int)(long)wrong;
  }
  return 0;
}
