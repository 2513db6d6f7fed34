// Who belongs to whom: children that a subreaper took in, sessions and groups whose leaders have ended, zombies
// with users of their own, a group and a session whose leaders are zombies, a root and a folder of one's own.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int ready[2];

static void tell(void) {
  if (write(ready[1], "", 1) != 1) _exit(99);
}

static void wait_for(int count) {
  char byte;
  while (count-- > 0)
    if (read(ready[0], &byte, 1) != 1) _exit(98);
}

// A field of "Uid:" and "Gid:" of /proc/PID/status, and the state.
static int looks(pid_t id, char state, int user, int group) {
  char path[64], line[256], found = 0;
  int users = -1, groups = -1;
  snprintf(path, sizeof path, "/proc/%d/status", id);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  while (fgets(line, sizeof line, file)) {
    sscanf(line, "State: %c", &found);
    sscanf(line, "Uid: %d", &users);
    sscanf(line, "Gid: %d", &groups);
  }
  fclose(file);
  return found == state && users == user && groups == group;
}

static void stay(int (*check)(void)) {
  tell();
  for (;;) {
    usleep(10000);
    if (!check()) _exit(50);
  }
}

static pid_t session, group, parent;
static int in_session(void) { return getsid(0) == session && getpgrp() == session && getppid() == parent; }
static int in_group(void) { return getpgrp() == group && getppid() == parent; }
static int in_root(void) {
  struct stat here, root;
  char name[64];
  return !stat("/", &root) && !stat(".", &here) && root.st_ino != here.st_ino && !access("/sub", F_OK) &&
         getcwd(name, sizeof name) && !strcmp(name, "/sub");
}

int main(int argc, char **argv) {
  (void)argc;
  if (pipe(ready)) return 1;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  parent = getpid();
  pid_t lives[8];
  int count = 0;
  // A daemon, as they are made: its session's leader has ended, and it is ours now.
  int link[2];
  if (pipe(link)) return 2;
  pid_t leader = fork();
  if (leader < 0) return 96;
  if (leader == 0) {
    setsid();
    session = getpid();
    for (int i = 0; i < 2; i++) {
      pid_t daemon = fork();
      if (daemon == 0) {
        while (getppid() != parent) usleep(1000);
        stay(in_session);
      }
      if (write(link[1], &daemon, sizeof daemon) != sizeof daemon) _exit(97);
    }
    _exit(0);
  }
  waitpid(leader, NULL, 0);
  for (int i = 0; i < 2; i++)
    if (read(link[0], &lives[count++], sizeof *lives) != sizeof *lives) return 3;
  // One whose session's leader nobody has waited for.
  pid_t waiting = fork();
  if (waiting < 0) return 96;
  if (waiting == 0) {
    setsid();
    session = getpid();
    pid_t daemon = fork();
    if (daemon == 0) {
      while (getppid() != parent) usleep(1000);
      stay(in_session);
    }
    if (write(link[1], &daemon, sizeof daemon) != sizeof daemon) _exit(97);
    _exit(7);
  }
  if (read(link[0], &lives[count++], sizeof *lives) != sizeof *lives) return 4;
  close(link[0]), close(link[1]);
  // Two in a group whose leader has ended.
  leader = fork();
  if (leader < 0) return 96;
  if (leader == 0) {
    setpgid(0, 0);
    tell();
    pause();
    _exit(0);
  }
  wait_for(1);
  setpgid(leader, leader);  // which of them it was that told is not known
  group = leader;
  for (int i = 0; i < 2; i++) {
    lives[count] = fork();
  if (lives[count] < 0) return 96;
    if (lives[count] == 0) {
      if (setpgid(0, group)) _exit(51);
      stay(in_group);
    }
    count++;
  }
  wait_for(3 + 2);
  kill(leader, SIGKILL);
  waitpid(leader, NULL, 0);
  // One in the group of a zombie, which is another user's.
  pid_t zombie = fork();
  if (zombie < 0) return 96;
  if (zombie == 0) {
    setpgid(0, 0);
    tell();
    usleep(50000);
    if (setresgid(2003, 2003, 2003) || setresuid(2002, 2002, 2002)) _exit(52);
    _exit(43);
  }
  wait_for(1);
  setpgid(zombie, zombie);
  group = zombie;
  lives[count] = fork();
  if (lives[count] < 0) return 96;
  if (lives[count] == 0) {
    if (setpgid(0, group)) _exit(53);
    stay(in_group);
  }
  count++;
  wait_for(1);
  pid_t killed = fork();
  if (killed < 0) return 96;
  if (killed == 0) {
    if (setresuid(2004, 2005, 2006)) _exit(54);
    raise(SIGTERM);
    _exit(0);
  }
  // One with another root.
  mkdir(argv[1], 0755);
  lives[count] = fork();
  if (lives[count] < 0) return 96;
  if (lives[count] == 0) {
    if (chdir(argv[1]) || mkdir("sub", 0755) || chroot(".") || chdir("/sub")) _exit(55);
    umask(0137);
    stay(in_root);
  }
  count++;
  wait_for(1);
  while (!looks(zombie, 'Z', 2002, 2003) || !looks(killed, 'Z', 2004, 0)) usleep(1000);
  for (int round = 0; round < 90; round++) {
    usleep(10000);
    if (!looks(zombie, 'Z', 2002, 2003)) return 10;
    if (!looks(killed, 'Z', 2004, 0)) return 11;
    for (int i = 0; i < count; i++)
      if (waitpid(lives[i], NULL, WNOHANG) != 0) return 12 + i;
  }
  for (int i = 0; i < count; i++) kill(lives[i], SIGKILL);
  for (int i = 0; i < count; i++) {
    int status;
    if (waitpid(lives[i], &status, 0) != lives[i] || !WIFSIGNALED(status)) return 30 + i;
  }
  siginfo_t info;
  if (waitid(P_PID, (id_t)zombie, &info, WEXITED) || info.si_code != CLD_EXITED || info.si_status != 43) return 40;
  if (info.si_uid != 2002) return 41;
  if (waitid(P_PID, (id_t)killed, &info, WEXITED) || info.si_code != CLD_KILLED || info.si_status != SIGTERM) return 42;
  if (info.si_uid != 2004) return 43;
  if (waitid(P_PID, (id_t)waiting, &info, WEXITED) || info.si_code != CLD_EXITED || info.si_status != 7) return 45;
  return wait(NULL) == -1 && errno == ECHILD ? 0 : 44;
}
