// keeper COMMAND...: runs a command, takes in whatever loses its parent below it, so that its number is free
// as soon as it has ended, and ends as the command does, with nothing of it left.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void killChildren(void) {
  FILE *list = fopen("/proc/thread-self/children", "r");
  int child;
  while (list && fscanf(list, "%d", &child) == 1) kill(child, SIGKILL);
  if (list) fclose(list);
}

int main(int count, char **arguments) {
  if (count < 2) return 64;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pid_t command = fork();
  if (command == 0) {
    execvp(arguments[1], arguments + 1);
    perror(arguments[1]);
    _exit(127);
  }
  int status, end = 0;
  for (;;) {
    pid_t ended = waitpid(-1, &status, 0);
    if (ended == -1 && errno == ECHILD) return end;
    if (ended == command) {
      end = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      command = -1;
    }
    if (command == -1) killChildren();  // theirs come next, when they have lost their parents
  }
}
