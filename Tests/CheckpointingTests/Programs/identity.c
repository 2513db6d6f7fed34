// What a process is besides memory and files: users, groups, capabilities, limits, names, folders, options.
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct snapshot {
  uid_t users[3];
  gid_t groups[3], others[32];
  int otherCount, umask, personality, nice, dumpable, deathSignal, subreaper, noNewPrivileges, slack;
  int thpDisabled, keepCapabilities, secureBits;
  struct rlimit limits[16];
  char name[16], directory[256], command[64], capabilities[512];
  cpu_set_t processors;
  int policy, priority;
};

static void look(struct snapshot *now) {
  memset(now, 0, sizeof *now);
  getresuid(&now->users[0], &now->users[1], &now->users[2]);
  getresgid(&now->groups[0], &now->groups[1], &now->groups[2]);
  now->otherCount = getgroups(32, now->others);
  now->umask = umask(0);
  umask(now->umask);
  now->personality = personality(0xffffffff);
  now->nice = getpriority(PRIO_PROCESS, 0);
  now->dumpable = prctl(PR_GET_DUMPABLE);
  prctl(PR_GET_PDEATHSIG, &now->deathSignal);
  prctl(PR_GET_CHILD_SUBREAPER, &now->subreaper);
  now->noNewPrivileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  now->slack = prctl(PR_GET_TIMERSLACK);
  now->thpDisabled = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
  now->keepCapabilities = prctl(PR_GET_KEEPCAPS);
  now->secureBits = prctl(PR_GET_SECUREBITS);
  for (int i = 0; i < 16; i++) getrlimit(i, &now->limits[i]);
  prctl(PR_GET_NAME, now->name);
  if (!getcwd(now->directory, sizeof now->directory)) strcpy(now->directory, "?");
  FILE *file = fopen("/proc/self/status", "r");
  char line[256];
  while (file && fgets(line, sizeof line, file))
    if (!strncmp(line, "Cap", 3)) strncat(now->capabilities, line, sizeof now->capabilities - 1);
  if (file) fclose(file);
  int command = open("/proc/self/cmdline", O_RDONLY);
  if (command >= 0) {
    if (read(command, now->command, sizeof now->command - 1) < 0) now->command[0] = 0;
    close(command);
  }
  sched_getaffinity(0, sizeof now->processors, &now->processors);
  now->policy = sched_getscheduler(0);
}

int main(int argc, char **argv) {
  umask(027);
  if (chdir("/usr") || nice(3) != 3) return 90;
  prctl(PR_SET_NAME, "an odd ) name");
  prctl(PR_SET_TIMERSLACK, 123456);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  sched_setaffinity(0, sizeof one, &one);
  struct sched_param batch = {0};
  sched_setscheduler(0, SCHED_BATCH, &batch);
  struct rlimit files = {100, 200}, core = {0, 0};
  setrlimit(RLIMIT_NOFILE, &files);
  setrlimit(RLIMIT_CORE, &core);
  if (argc > 1 && !strcmp(argv[1], "drop")) {
    gid_t groups[] = {5, 60, 1234};
    // One that stays inheritable though nobody can get it any more.
    struct { uint32_t version; int process; } head = {0x20080522, 0};
    struct { uint32_t effective, permitted, inheritable; } sets[2];
    if (syscall(SYS_capget, &head, sets)) return 92;
    sets[0].inheritable |= 1 << 21;
    if (syscall(SYS_capset, &head, sets)) return 93;
    prctl(PR_CAPBSET_DROP, 21);
    if (setgroups(3, groups) || setresgid(1001, 1002, 1003) || setresuid(2001, 2002, 2003)) return 91;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 1);
  }
  prctl(PR_SET_PDEATHSIG, 0);
  struct snapshot first, now;
  look(&first);
  for (int i = 0; i < 120; i++) {
    usleep(10000);
    look(&now);
    if (memcmp(first.users, now.users, sizeof now.users)) return 1;
    if (memcmp(first.groups, now.groups, sizeof now.groups)) return 2;
    if (first.otherCount != now.otherCount || memcmp(first.others, now.others, sizeof now.others)) return 3;
    if (first.umask != now.umask) return 4;
    if (first.nice != now.nice || first.policy != now.policy) return 5;
    if (first.dumpable != now.dumpable) return 6;
    if (first.subreaper != now.subreaper) return 7;
    if (first.noNewPrivileges != now.noNewPrivileges) return 8;
    if (first.slack != now.slack) return 9;
    if (memcmp(first.limits, now.limits, sizeof now.limits)) return 10;
    if (strcmp(first.name, now.name)) return 11;
    if (strcmp(first.directory, now.directory)) return 12;
    if (strcmp(first.capabilities, now.capabilities)) return 13;
    if (memcmp(first.command, now.command, sizeof now.command)) return 14;
    if (memcmp(&first.processors, &now.processors, sizeof now.processors)) return 15;
    if (first.personality != now.personality) return 16;
    if (first.deathSignal != now.deathSignal) return 17;
    if (first.thpDisabled != now.thpDisabled || first.keepCapabilities != now.keepCapabilities) return 18;
    if (first.secureBits != now.secureBits) return 19;
  }
  return 0;
}
