// What prctl(2) and its like keep of a process or of each thread: securebits, death signals, rights of single
// threads, scheduling, priorities of input and output, and what else can be asked for.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { threads = 6, rounds = 90 };

// struct sched_attr
struct attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

struct look {
  struct attributes scheduling;
  long io, deathSignal, slack, timeStamp, secureBits, bypass, branch, machineCheck, keeps, noNew, barriers;
  long dumpable, personality;
  int users[3];
  char name[16], status[400], filter[32], score[32];
};

static void take(const char *path, char *text, size_t size) {
  int file = open(path, O_RDONLY);
  if (file < 0 || read(file, text, size - 1) < 0) strcpy(text, "?");
  if (file >= 0) close(file);
}

static void look(struct look *now) {
  memset(now, 0, sizeof *now);
  syscall(SYS_sched_getattr, 0, &now->scheduling, sizeof now->scheduling, 0);
  now->io = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
  int value = 0;
  prctl(PR_GET_PDEATHSIG, &value);
  now->deathSignal = value;
  now->slack = prctl(PR_GET_TIMERSLACK);
  prctl(PR_GET_TSC, &value);
  now->timeStamp = value;
  now->secureBits = prctl(PR_GET_SECUREBITS);
  now->bypass = prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0);
  now->branch = prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, 0, 0, 0);
  now->machineCheck = prctl(PR_MCE_KILL_GET, 0, 0, 0, 0);
  now->keeps = prctl(PR_GET_KEEPCAPS);
  now->noNew = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  now->barriers = syscall(SYS_membarrier, 512, 0, 0);
  now->dumpable = prctl(PR_GET_DUMPABLE);
  now->personality = personality(0xffffffff);
  syscall(SYS_getresuid, &now->users[0], &now->users[1], &now->users[2]);
  prctl(PR_GET_NAME, now->name);
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/self/task/%d/status", gettid());
  FILE *file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file))
    if (!strncmp(line, "Cap", 3) || !strncmp(line, "Groups", 6) || !strncmp(line, "Specul", 6))
      strncat(now->status, line, sizeof now->status - strlen(now->status) - 1);
  if (file) fclose(file);
  take("/proc/self/coredump_filter", now->filter, sizeof now->filter);
  take("/proc/self/oom_score_adj", now->score, sizeof now->score);
}

static void put(const char *path, const char *text) {
  int file = open(path, O_WRONLY);
  if (file >= 0) {
    if (write(file, text, strlen(text)) < 0) perror(path);
    close(file);
  }
}

static void choose(long which) {
  struct attributes wanted = {.size = sizeof wanted};
  switch (which) {
    case 0:
      wanted.policy = SCHED_FIFO, wanted.priority = 7;
      break;
    case 1:
      wanted.policy = SCHED_RR, wanted.priority = 3;
      prctl(PR_SET_PDEATHSIG, SIGUSR1);
      syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6));
      break;
    case 2:
      wanted.policy = SCHED_BATCH, wanted.nice = 5;
      prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
      syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
      break;
    case 3:
      wanted.policy = SCHED_IDLE;
      prctl(PR_SET_TIMERSLACK, 777777);
      prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE, 0, 0);
      prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, PR_SPEC_FORCE_DISABLE, 0, 0);
      break;
    case 4:
      wanted.policy = SCHED_DEADLINE;
      wanted.runtime = 1000000, wanted.deadline = 50000000, wanted.period = 100000000;
      break;
    case 5:
      // This thread alone is another user, with capabilities kept.
      wanted.nice = -3;
      prctl(PR_SET_SECUREBITS, 1 << 4 | 1 << 2);
      if (syscall(SYS_setresuid, 3001, 3002, 3003)) abort();
      prctl(PR_SET_DUMPABLE, 1);
      return;
  }
  // The kernel may have no room for it; what counts is that it stays what it is.
  (void)syscall(SYS_sched_setattr, 0, &wanted, 0);
}

static void *hold(void *argument) {
  choose((long)argument);
  struct look first, now;
  look(&first);
  for (int round = 0; round < rounds; round++) {
    usleep(10000);
    look(&now);
    if (memcmp(&first, &now, sizeof now)) {
      for (size_t i = 0; i < sizeof now; i++)
        if (((char *)&first)[i] != ((char *)&now)[i]) {
          fprintf(stderr, "thread %ld differs at byte %zu\n%s%s", (long)argument, i, first.status, now.status);
          break;
        }
      return (void *)((long)argument + 1);
    }
  }
  return NULL;
}

int main(void) {
  put("/proc/self/coredump_filter", "0x7");
  put("/proc/self/oom_score_adj", "321");
  prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
  personality(ADDR_COMPAT_LAYOUT);
  // MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, _PRIVATE_EXPEDITED, _PRIVATE_EXPEDITED_SYNC_CORE
  syscall(SYS_membarrier, 4, 0, 0), syscall(SYS_membarrier, 16, 0, 0), syscall(SYS_membarrier, 64, 0, 0);
  prctl(PR_SET_SECUREBITS, 1 << 2);
  pthread_t all[threads];
  for (long i = 0; i < threads; i++) pthread_create(&all[i], NULL, hold, (void *)i);
  // Memory that may be written may no longer be executed.
  usleep(20000);
  prctl(65, 1, 0, 0, 0);
  int mdwe = prctl(66, 0, 0, 0, 0);
  long wrong = 0;
  struct look first, now;
  usleep(20000);
  look(&first);
  for (int round = 0; round < rounds && !wrong; round++) {
    usleep(10000);
    look(&now);
    if (memcmp(&first, &now, sizeof now)) wrong = 20;
    void *bad = mmap(NULL, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mdwe == 1 && (bad != MAP_FAILED || prctl(66, 0, 0, 0, 0) != 1)) wrong = 21;
  }
  for (int i = 0; i < threads; i++) {
    void *one;
    pthread_join(all[i], &one);
    if (one) wrong = (long)one;
  }
  return (int)wrong;
}
