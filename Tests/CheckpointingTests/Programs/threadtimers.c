// Timers that send their signals to threads: each signal comes once, whenever its timer runs out.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { TIMERS = 200, THREADS = 2 };
static pthread_barrier_t set;

static long monotonic_milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *collect(void *argument) {
  (void)argument;
  for (long i = 0; i < TIMERS; i++) {
    struct sigevent event = {
      .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 2, .sigev_value.sival_int = (int)i};
    event._sigev_un._tid = gettid();
    timer_t timer;
    struct itimerspec end = {{0, 0}, {0, 4000000 * (i + 1)}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &end, NULL)) return (void *)1;
  }
  pthread_barrier_wait(&set);
  for (long end = monotonic_milliseconds() + 1500; monotonic_milliseconds() < end;) usleep(1000);
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGRTMIN + 2);
  // Time may have stood still for the timers; nothing else may keep one back.
  const struct timespec patience = {3, 0};
  int came[TIMERS] = {0};
  for (int i = 0; i < TIMERS; i++) {
    siginfo_t information;
    if (sigtimedwait(&awaited, &information, &patience) < 0) return (void *)2;
    if (came[information.si_value.sival_int]++) return (void *)3;
  }
  const struct timespec moment = {0, 100000000};
  return sigtimedwait(&awaited, NULL, &moment) < 0 ? NULL : (void *)4;
}

int main(void) {
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGRTMIN + 2);
  pthread_sigmask(SIG_BLOCK, &blocked, NULL);
  pthread_barrier_init(&set, NULL, THREADS);
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, collect, NULL);
  for (int i = 0; i < THREADS; i++) {
    void *wrong;
    pthread_join(threads[i], &wrong);
    if (wrong) return (int)(long)wrong;
  }
  return 0;
}
