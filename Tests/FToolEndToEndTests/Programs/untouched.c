// What a process has of nobody: not of the program that brings it back, and not of what that does on the way. A thread
// and five children, each of which checks itself again and again.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { rounds = 250 };
static const char *folder;
static __thread volatile int handled;
static volatile int told;

static void handle(int signal) { handled = signal; }
static void count(int signal) { told += signal != 0; }

static void need(int holds, const char *what) {
  if (holds) return;
  printf("%s\n", what);
  fflush(stdout);
  _exit(1);
}

static void again(void (*check)(void)) {
  for (int round = 0; round < rounds; round++) {
    check();
    usleep(20000);
  }
}

// No alternate stack: a handler that would have one runs on the ordinary one.
static void check_stack(void) {
  stack_t stack;
  need(!sigaltstack(NULL, &stack) && stack.ss_flags == SS_DISABLE, "an alternate stack");
  handled = 0;
  syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
  need(handled == SIGUSR1, "a handler that did not run");
}

// The files' user is neither the real nor the effective one.
static void check_file_user(void) { need(setfsuid(-1) == 1077, "another user of the file system"); }
static void file_user(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  need(!prctl(PR_SET_KEEPCAPS, 1) && !setresuid(1076, 1076, 1076), "setresuid");
  need(!syscall(SYS_capget, &header, data), "capget");
  for (int i = 0; i < 2; i++) data[i].effective = data[i].permitted;
  need(!syscall(SYS_capset, &header, data), "capset");
  setfsuid(1077);
  again(check_file_user);
}

// Nothing has happened to its descriptors, so nothing is told.
static void check_told(void) { need(told == 0, "a signal that nobody sent"); }
static void signals(void) {
  signal(SIGIO, count);
  int watch = inotify_init1(0), ends[2];
  int gap = inotify_add_watch(watch, "/tmp", IN_DELETE_SELF);
  need(inotify_add_watch(watch, folder, IN_DELETE_SELF) > gap && !inotify_rm_watch(watch, gap), "watches");
  char events[4096];
  need(read(watch, events, sizeof events) > 0 && !pipe(ends), "events");
  close(ends[1]);
  for (int i = 0; i < 2; i++) {
    int number = i ? watch : ends[0];
    need(!fcntl(number, F_SETOWN, getpid()) && !fcntl(number, F_SETFL, O_ASYNC), "fcntl");
  }
  again(check_told);
}

// What pipe(2) makes has other flags than what open(2) makes.
static int pipe_ends[2];
static int memory;
static void check_owned(int file, unsigned mode) {
  struct stat status;
  need(!fstat(file, &status) && status.st_uid == 33 && status.st_gid == 44 && (status.st_mode & 07777) == mode, "another owner");
}
static void check_ends(void) {
  need(!fcntl(pipe_ends[0], F_GETFL) && fcntl(pipe_ends[1], F_GETFL) == O_WRONLY, "flags of a pipe");
  check_owned(pipe_ends[0], 0622);
  check_owned(memory, 0640);
  struct stat status;
  need(!fstat(memory, &status) && status.st_mtime == 2000000, "another time");
}
static void ends(void) {
  need(!pipe(pipe_ends) && write(pipe_ends[1], "in it", 5) == 5, "pipe");
  need(!fchmod(pipe_ends[1], 0622) && !fchown(pipe_ends[0], 33, 44), "owner of a pipe");
  struct timespec times[2] = {{2000000, 0}, {2000000, 0}};
  memory = memfd_create("memory", 0);
  need(memory >= 0 && !fchmod(memory, 0640) && !fchown(memory, 33, 44) && !futimens(memory, times), "owner of memory");
  again(check_ends);
  char bytes[8];
  need(read(pipe_ends[0], bytes, sizeof bytes) == 5, "what was in a pipe");
}

// A nice value that will count again.
static void check_nice(void) {
  need(sched_getscheduler(0) == SCHED_IDLE && getpriority(PRIO_PROCESS, 0) == 8, "another nice value");
}
static void idle(void) {
  struct sched_param none = {0};
  need(!setpriority(PRIO_PROCESS, 0, 8) && !sched_setscheduler(0, SCHED_IDLE, &none), "SCHED_IDLE");
  again(check_nice);
}

// Memory from before is not made executable by READ_IMPLIES_EXEC.
static int executable_areas(void) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[8192];
  int found = 0;
  while (maps && fgets(line, sizeof line, maps)) found += strstr(line, "rwxp") != NULL;
  if (maps) fclose(maps);
  return found;
}
static int executable_before;
static void check_areas(void) {
  need(personality(0xffffffff) & READ_IMPLIES_EXEC, "another personality");
  need(executable_areas() == executable_before, "memory that may be executed");
}
static void *implied_thread(void *unused) {
  for (int round = 0; round < rounds; round++) {
    need(personality(0xffffffff) & READ_IMPLIES_EXEC, "another personality of a thread");
    usleep(20000);
  }
  return unused;
}
static void implied(void) {
  pthread_t other;
  executable_areas();  // whatever it maps
  personality(READ_IMPLIES_EXEC);
  pthread_create(&other, NULL, implied_thread, NULL);
  usleep(100000);
  executable_before = executable_areas();
  again(check_areas);
  pthread_join(other, NULL);
}

// A thread's own.
static void check_thread(void) {
  check_stack();
  need(prctl(PR_GET_KEEPCAPS) == 1 && prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_EARLY, "a thread's own");
}
static void *thread(void *unused) {
  prctl(PR_SET_KEEPCAPS, 1);
  prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
  again(check_thread);
  return unused;
}

int main(int argc, char **argv) {
  if (argc < 2) return 1;
  folder = argv[1];
  mkdir(folder, 0700);
  struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
  sigaction(SIGUSR1, &action, NULL);
  void (*parts[])(void) = {file_user, signals, idle, implied, ends};
  for (int i = 0; i < 5; i++) {
    if (fork() == 0) {
      parts[i]();
      check_stack();
      _exit(0);
    }
  }
  pthread_t other;
  pthread_create(&other, NULL, thread, NULL);
  again(check_stack);
  pthread_join(other, NULL);
  for (int i = 0; i < 5; i++) {
    int status;
    need(wait(&status) > 0 && status == 0, "a child that ended otherwise");
  }
  return 0;
}
