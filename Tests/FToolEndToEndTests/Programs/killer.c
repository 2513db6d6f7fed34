// killer WHICH N SIGNAL FILE COMMAND...: runs a command and sends it a signal as it is about to make its n-th
// system call, of all threads together; where WHICH is "ptrace", its n-th call of ptrace(2). The number of
// calls that it had made is in the file then. Ends as the command does.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long count;

static void tell(const char *path) {
  FILE *file = fopen(path, "w");
  if (file) fprintf(file, "%ld\n", count);
  if (file) fclose(file);
}

static int end(const char *path, int status) {
  tell(path);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int arguments, char **argument) {
  if (arguments < 6) return 64;
  int onlyTracing = !strcmp(argument[1], "ptrace");
  long chosen = atol(argument[2]);
  int fatal = atoi(argument[3]), status;
  pid_t command = fork();
  if (command == 0) {
    raise(SIGSTOP);
    execvp(argument[5], argument + 5);
    perror(argument[5]);
    _exit(127);
  }
  waitpid(command, &status, WUNTRACED);
  long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SEIZE, command, 0, options)) return perror("ptrace"), 125;
  kill(command, SIGCONT);
  int isOver = 0;
  for (;;) {
    pid_t thread = waitpid(-1, &status, __WALL);
    if (thread == -1 && errno == ECHILD) return 125;
    if (!WIFSTOPPED(status)) {
      if (thread == command) return end(argument[4], status);
      continue;
    }
    int signal = WSTOPSIG(status), event = status >> 16, pass = 0;
    if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
      ptrace(PTRACE_LISTEN, thread, 0, 0);
      continue;
    }
    if (signal == (SIGTRAP | 0x80)) {
      struct __ptrace_syscall_info info;
      if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) > 0
          && info.op == PTRACE_SYSCALL_INFO_ENTRY && !isOver
          && (!onlyTracing || info.entry.nr == SYS_ptrace) && ++count == chosen) {
        isOver = 1;
        kill(command, fatal);
      }
    } else if (!event) {
      pass = signal;
    }
    ptrace(isOver ? PTRACE_CONT : PTRACE_SYSCALL, thread, 0, pass);
  }
}
