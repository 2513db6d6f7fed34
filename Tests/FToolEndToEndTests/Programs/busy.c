// busy WHAT: does one thing at full speed until SIGUSR1 comes, and looks whether it always worked. Says "good"
// then. WHAT is "exits" (threads), "forks", "execs", "maps" or "signals".
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t isOver, taken;

static void bad(const char *what) {
  printf("bad: %s: %s\n", what, strerror(errno));
  fflush(stdout);
  _exit(1);
}

static void end(int signal) { isOver = signal; }
static void take(int signal) { taken += signal > 0; }
static void *leave(void *number) { return number; }

static void exits(long round) {
  pthread_t threads[3];
  for (long index = 0; index < 3; index++)
    if (pthread_create(&threads[index], NULL, leave, (void *)(round + index))) bad("pthread_create");
  for (long index = 0; index < 3; index++) {
    void *number;
    if (pthread_join(threads[index], &number) || number != (void *)(round + index)) bad("a thread");
  }
}

static void forks(long round) {
  int status;
  pid_t child = fork();
  if (child < 0) bad("fork");
  if (child == 0) _exit(round % 100);
  if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != round % 100) bad("a child");
}

static void maps(long round) {
  size_t size = 4096 * (1 + round % 50);
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) bad("mmap");
  memset(memory, round, size);
  if (mprotect(memory, 4096, PROT_READ) || memory[size - 1] != (char)round) bad("memory");
  if (mprotect(memory, 4096, PROT_READ | PROT_WRITE)) bad("mprotect");
  memory = mremap(memory, size, 2 * size, MREMAP_MAYMOVE);
  if (memory == MAP_FAILED || memory[0] != (char)round || memory[size]) bad("moved memory");
  if (munmap(memory, 2 * size)) bad("munmap");
}

static void signals(long round) {
  union sigval value = {.sival_int = (int)round};
  for (int index = 0; index < 4; index++)
    if (sigqueue(getpid(), SIGRTMIN + index, value)) bad("sigqueue");
  if (taken != 4 * (round + 1)) bad("a signal");
}

int main(int count, char **argument) {
  struct sigaction ending = {.sa_handler = end, .sa_flags = SA_RESTART}, taking = {.sa_handler = take};
  sigaction(SIGUSR1, &ending, NULL);
  for (int index = 0; index < 4; index++) sigaction(SIGRTMIN + index, &taking, NULL);
  if (count == 4) {  // it executes itself, and hands on how often, and when it is to end
    long round = atol(argument[2]) + 1;
    char text[32];
    if (access(argument[3], F_OK) == 0) {
      printf("good\n");
      return 42;
    }
    sprintf(text, "%ld", round);
    execl("/proc/self/exe", argument[0], "execs", text, argument[3], NULL);
    bad("exec");
  }
  printf("ready\n");
  fflush(stdout);
  if (!strcmp(argument[1], "execs")) {
    execl("/proc/self/exe", argument[0], "execs", "0", "end", NULL);
    bad("exec");
  }
  for (long round = 0; !isOver; round++) {
    if (!strcmp(argument[1], "exits")) exits(round);
    else if (!strcmp(argument[1], "forks")) forks(round);
    else if (!strcmp(argument[1], "maps")) maps(round);
    else signals(round);
  }
  printf("good\n");
  return 42;
}
