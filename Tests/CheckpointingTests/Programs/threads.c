// Threads that compute in floating point, wait on each other and sleep, and compare notes at the end.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static __thread double own = 1.0;
static int turn;
enum { threads = 8, rounds = 300 };

static void *run(void *argument) {
  int me = (int)(long)argument;
  double sum = 0;
  for (int round = 0; round < rounds; round++) {
    for (int i = 1; i < 200000; i++) sum += 1.0 / ((double)i * i);
    own += 1.0;
    pthread_mutex_lock(&mutex);
    while (turn % threads != me) pthread_cond_wait(&changed, &mutex);
    turn++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    if (me == 0) usleep(5000);
  }
  double once = 0;
  for (int i = 1; i < 200000; i++) once += 1.0 / ((double)i * i);
  return (void *)(long)(own == rounds + 1.0 && sum > rounds * once * 0.999999 && sum < rounds * once * 1.000001);
}

int main(void) {
  pthread_t all[threads];
  for (long i = 0; i < threads; i++) pthread_create(&all[i], NULL, run, (void *)i);
  for (int i = 0; i < threads; i++) {
    void *right;
    pthread_join(all[i], &right);
    if (!right) return 1;
  }
  return turn == threads * rounds ? 0 : 2;
}
