// Processes that are no threads and have memory, descriptors, folders or signal handlers together, as clone(2)
// makes them. What one changes the others find changed, and nobody else does.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kinds = 7, rounds = 60, number = 77 };

static const int flags[kinds] = {
  CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND, CLONE_VM, CLONE_FILES, CLONE_FS, CLONE_FILES | CLONE_FS,
  CLONE_VM | CLONE_SIGHAND, 0};

// Seen by all, whoever has which memory.
static struct board {
  _Atomic int turn[kinds];
  _Atomic int wrong[kinds];
} *board;
// Seen by those who have this memory.
static volatile int cell;

static void handle(int signal) { (void)signal; }

static int is(int condition, int number) { return condition ? 0 : number; }

static int child(void *argument) {
  int kind = (int)(long)argument, has = flags[kind];
  for (int round = 0; round < rounds; round++) {
    while (atomic_load(&board->turn[kind]) != 2 * round + 1) usleep(500);
    // The parent has set these.
    int mask = umask(0);
    umask((mode_t)mask);
    struct sigaction action;
    sigaction(SIGUSR1, NULL, &action);
    int isOpen = fcntl(number, F_GETFD) >= 0;
    int wrong = is((has & CLONE_VM) ? cell == round + 1 : cell == 0, 1);
    if (!wrong) wrong = is(isOpen == ((has & CLONE_FILES) != 0), 2);
    if (!wrong) wrong = is((mask == 0125) == ((has & CLONE_FS) != 0), 3);
    if (!wrong) wrong = is((action.sa_handler == handle) == ((has & CLONE_SIGHAND) != 0), 4);
    if (wrong) atomic_store(&board->wrong[kind], 10 * kind + wrong);
    atomic_store(&board->turn[kind], 2 * round + 2);
  }
  return 0;
}

int main(void) {
  board = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  umask(022);
  pid_t ids[kinds];
  for (long kind = 0; kind < kinds; kind++) {
    char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ids[kind] = clone(child, stack + 65536, flags[kind] | SIGCHLD, (void *)kind);
    if (ids[kind] < 0) return 100;
  }
  for (int round = 0; round < rounds; round++) {
    cell = round + 1;
    if (dup2(0, number) != number) return 101;
    umask(0125);
    signal(SIGUSR1, handle);
    for (int kind = 0; kind < kinds; kind++) atomic_store(&board->turn[kind], 2 * round + 1);
    for (int kind = 0; kind < kinds; kind++)
      while (atomic_load(&board->turn[kind]) != 2 * round + 2) usleep(500);
    for (int kind = 0; kind < kinds; kind++)
      if (board->wrong[kind]) return board->wrong[kind];
    close(number);
    umask(022);
    signal(SIGUSR1, SIG_DFL);
    usleep(10000);
  }
  for (int kind = 0; kind < kinds; kind++) {
    int status;
    if (waitpid(ids[kind], &status, 0) != ids[kind] || status) return 102;
  }
  return 0;
}
