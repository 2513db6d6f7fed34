// Stopped children, with threads and with signals that wait: their parent is told once of each stop, and what
// waits acts when they go on, not before.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int asked, continued;
static void on_term(int signal) { (void)signal, asked++; }
static void on_continue(int signal) { (void)signal, continued++; }

static void *spin(void *argument) {
  for (;;) usleep(1000);
  return argument;
}

static char state(pid_t id) {
  char path[64], line[256], found = 0;
  snprintf(path, sizeof path, "/proc/%d/status", id);
  FILE *file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file)) sscanf(line, "State: %c", &found);
  if (file) fclose(file);
  return found;
}

static pid_t make(int ends) {
  pid_t child = fork();
  if (child < 0) _exit(96);  // never kill(-1)
  // In groups of their own, with us in the session, they can be stopped by SIGTSTP.
  setpgid(child, child);
  if (child) return child;
  signal(SIGCONT, on_continue);
  if (!ends) signal(SIGTERM, on_term);
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, spin, NULL);
  prctl(PR_SET_NAME, "ready");
  while (!asked || !continued) usleep(1000);
  _exit(asked == 1 && continued == 1 ? 7 : 8);
}

int main(void) {
  // Of the first we take the news of its stop, of the second not; the third will end.
  pid_t told = make(0), untold = make(0), ending = make(1);
  usleep(100000);
  int status;
  kill(told, SIGSTOP), kill(untold, SIGTSTP), kill(ending, SIGSTOP);
  if (waitpid(told, &status, WUNTRACED) != told || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP) return 1;
  while (state(untold) != 'T' || state(ending) != 'T') usleep(1000);
  kill(told, SIGTERM), kill(untold, SIGTERM), kill(ending, SIGTERM);
  for (int round = 0; round < 200; round++) {
    usleep(10000);
    if (state(told) != 'T' || state(untold) != 'T' || state(ending) != 'T') return 2;
    if (waitpid(told, &status, WUNTRACED | WNOHANG) != 0) return 3;
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)untold, &info, WSTOPPED | WNOHANG | WNOWAIT) || info.si_status != SIGTSTP) return 4;
  }
  if (waitpid(untold, &status, WUNTRACED) != untold || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTSTP) return 5;
  kill(told, SIGCONT), kill(untold, SIGCONT), kill(ending, SIGCONT);
  if (waitpid(told, &status, 0) != told || !WIFEXITED(status) || WEXITSTATUS(status) != 7) return 6;
  if (waitpid(untold, &status, 0) != untold || !WIFEXITED(status) || WEXITSTATUS(status) != 7) return 7;
  if (waitpid(ending, &status, 0) != ending || !WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM) return 8;
  return 0;
}
