// A parent, two children and a grandchild that pass a token round through pipes; one child is a zombie
// for most of the time, one has a session of its own.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void pass(int from, int to, int rounds) {
  int token;
  for (int i = 0; i < rounds; i++) {
    if (read(from, &token, sizeof token) != sizeof token) _exit(10);
    token++;
    if (write(to, &token, sizeof token) != sizeof token) _exit(11);
  }
}

int main(void) {
  int a[2], b[2], c[2], d[2];
  if (pipe(a) || pipe(b) || pipe(c) || pipe(d)) return 1;
  pid_t zombie = fork();
  if (zombie == 0) {
    prctl(PR_SET_NAME, "has ended");
    _exit(42);
  }
  pid_t one = fork();
  if (one == 0) {
    pid_t grandchild = fork();
    if (grandchild == 0) {
      pass(b[0], c[1], 100);
      _exit(7);
    }
    pass(a[0], b[1], 100);
    int status;
    if (waitpid(grandchild, &status, 0) != grandchild || WEXITSTATUS(status) != 7) _exit(12);
    _exit(getsid(0) == getsid(getppid()) ? 5 : 13);
  }
  pid_t two = fork();
  if (two == 0) {
    if (setsid() != getpid()) _exit(14);
    pass(c[0], d[1], 100);
    _exit(getsid(0) == getpid() && getpgrp() == getpid() ? 6 : 15);
  }
  int token = 0;
  for (int i = 0; i < 100; i++) {
    if (write(a[1], &token, sizeof token) != sizeof token) return 2;
    usleep(20000);
    if (read(d[0], &token, sizeof token) != sizeof token) return 3;
  }
  if (token != 300) return 4;
  char path[64], name[32] = "";
  snprintf(path, sizeof path, "/proc/%d/comm", zombie);
  FILE *comm = fopen(path, "r");
  if (!comm || !fgets(name, sizeof name, comm) || strcmp(name, "has ended\n")) return 9;
  int status;
  if (waitpid(zombie, &status, 0) != zombie || !WIFEXITED(status) || WEXITSTATUS(status) != 42) return 5;
  if (waitpid(one, &status, 0) != one || WEXITSTATUS(status) != 5) return 6;
  if (waitpid(two, &status, 0) != two || WEXITSTATUS(status) != 6) return 7;
  return waitpid(-1, &status, 0) == -1 ? 0 : 8;
}
