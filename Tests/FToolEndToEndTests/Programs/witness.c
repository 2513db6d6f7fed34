// witness [wakeful] [alone]: threads and processes that would notice if anything were done to them: until SIGUSR1 comes
// they compute, hand one another numbers, sleep (with "wakeful" not always to the end) and take signals. Then it
// says "good", or what was not. With "alone" no memory is shared,
// and there is so much that it is saved from a copy.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t alarms, isOver;
static int numbers[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static long ball;

static void bad(const char *what) {
  printf("bad: %s\n", what);
  fflush(stdout);
  _exit(1);
}

static void note(int signal) {
  if (signal == SIGALRM) alarms++;
  else isOver = 1;
}

static int isWakeful, isAlone;

static void rest(long microseconds) {
  struct timespec time = {0, microseconds * 1000};
  if (nanosleep(&time, NULL) && !isWakeful) bad("a sleep was interrupted");
}

static double step(double value) { return value < 1e6 ? value * 1.0625 + 0.5 : value / 1e5; }

static void *compute(void *unused) {
  double value = 1, check = 1;
  uint64_t sum = 0, again = 0;
  while (!isOver) {
    for (int index = 0; index < 20000; index++) {
      value = step(value);
      sum = sum * 6364136223846793005u + (uint64_t)value;
    }
    for (int index = 0; index < 20000; index++) {
      check = step(check);
      again = again * 6364136223846793005u + (uint64_t)check;
    }
    if (value != check || sum != again) bad("a sum");
    rest(2000);
  }
  return unused;
}

static void *play(void *side) {
  long mine = (long)side;
  pthread_mutex_lock(&lock);
  while (!isOver || ball % 2 == mine) {
    if (ball % 2 == mine) {
      ball++;
      pthread_cond_broadcast(&turn);
    } else {
      struct timespec limit;
      clock_gettime(CLOCK_REALTIME, &limit);
      limit.tv_sec++;
      pthread_cond_timedwait(&turn, &lock, &limit);
    }
    pthread_mutex_unlock(&lock);
    rest(500);
    pthread_mutex_lock(&lock);
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}

static void *receive(void *unused) {
  long expected = 0, number;
  ssize_t got;
  while ((got = read(numbers[0], &number, sizeof number)) == sizeof number)
    if (number != expected++) bad("a number was lost");
  if (got) bad("a pipe");
  return unused;
}

int main(int count, char **arguments) {
  for (int index = 1; index < count; index++) {
    isWakeful |= !strcmp(arguments[index], "wakeful");
    isAlone |= !strcmp(arguments[index], "alone");
  }
  struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
  volatile long *shared = calloc(1, 10000);
  unsigned char *much = NULL;
  size_t size = 24 << 20;
  if (isAlone) {
    much = malloc(size);
    for (size_t index = 0; much && index < size; index++) much[index] = (unsigned char)(index * 7 + index / 4096);
  } else {
    int segment = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600);
    shared = shmat(segment, NULL, 0);
    shmctl(segment, IPC_RMID, NULL);
  }
  if (!shared || shared == (void *)-1 || pipe(numbers)) bad("set-up");
  pid_t sender = fork();
  if (sender == 0) {
    for (long number = 0;; number++) {
      if (write(numbers[1], &number, sizeof number) != sizeof number) bad("a write");
      shared[0] = number;
      rest(1000);
    }
  }
  pid_t idle = fork();
  if (idle == 0) {
    close(numbers[1]);
    setsid();
    for (;;) pause();
  }
  int quiet[2];
  if (pipe(quiet)) bad("set-up");
  pid_t restless = fork();
  if (restless == 0) {
    // Reads what never comes, with signals all the time, after each of which the call is made again.
    char byte;
    struct itimerval always = {{0, 300}, {0, 300}};
    close(numbers[1]);
    sigaction(SIGALRM, &action, NULL);
    if (isWakeful) setitimer(ITIMER_REAL, &always, NULL);
    if (read(quiet[0], &byte, 1) != 0) bad("a read was cut off");
    bad("a read ended");
  }
  close(numbers[1]);
  sigset_t handled;
  sigemptyset(&handled);
  sigaddset(&handled, SIGALRM);
  sigaddset(&handled, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &handled, NULL);
  pthread_t threads[4];
  pthread_create(&threads[0], NULL, compute, NULL);
  pthread_create(&threads[1], NULL, play, (void *)0);
  pthread_create(&threads[2], NULL, play, (void *)1);
  pthread_create(&threads[3], NULL, receive, NULL);
  sigaction(SIGALRM, &action, NULL);
  sigaction(SIGUSR1, &action, NULL);
  struct itimerval often = {{0, 5000}, {0, 5000}};
  setitimer(ITIMER_REAL, &often, NULL);
  sigset_t none;
  sigemptyset(&none);
  printf("ready\n");
  fflush(stdout);
  while (!isOver) sigsuspend(&none);
  setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
  for (int index = 0; index < 3; index++) pthread_join(threads[index], NULL);
  int status;
  if (waitpid(-1, &status, WNOHANG) != 0) bad("a child has ended");
  kill(sender, SIGKILL);
  if (waitpid(sender, &status, 0) != sender || WTERMSIG(status) != SIGKILL) bad("a child");
  pthread_join(threads[3], NULL);
  kill(idle, SIGKILL);
  kill(restless, SIGKILL);
  if (waitpid(idle, &status, 0) != idle || waitpid(restless, &status, 0) != restless ||
      WTERMSIG(status) != SIGKILL || wait(&status) != -1)
    bad("another child");
  for (size_t index = 0; much && index < size; index++)
    if (much[index] != (unsigned char)(index * 7 + index / 4096)) bad("memory");
  if (!alarms) bad("no alarm came");
  if (ball == 0 || (!isAlone && shared[0] == 0)) bad("nothing was done");
  printf("good\n");
  return 42;
}
