// Seccomp filters: several, of the process and of a thread of its own, one that ends the process for
// restart_syscall(2), and a thread in strict mode. All still hold, and one more can be put on all threads.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { rounds = 90 };

// A call gets `action`, all others are allowed.
static int filter(int call, unsigned action, unsigned flags) {
  struct sock_filter code[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, action),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static int count(void) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/self/task/%d/status", gettid());
  FILE *file = fopen(path, "r");
  int found = -1;
  while (file && fgets(line, sizeof line, file)) sscanf(line, "Seccomp_filters: %d", &found);
  if (file) fclose(file);
  return found;
}

static int refuses(int call, int error) { return syscall(call, 0) == -1 && errno == error; }

static pthread_barrier_t done, synced;

static void *own(void *argument) {
  (void)argument;
  if (filter(SYS_getpgid, SECCOMP_RET_ERRNO | EXDEV, 0)) return (void *)40;
  for (int round = 0; round < rounds; round++) {
    poll(NULL, 0, 10);
    if (!refuses(SYS_getpgid, EXDEV)) return (void *)41;
    if (!refuses(SYS_getsid, EDOM)) return (void *)42;
    if (count() != 3) return (void *)43;
  }
  pthread_barrier_wait(&done);
  // A filter is put on all threads only where the one that asks has theirs, and not just the like of them.
  if (filter(SYS_getpriority, SECCOMP_RET_ERRNO | ENOTTY, SECCOMP_FILTER_FLAG_TSYNC)) return (void *)44;
  pthread_barrier_wait(&synced);
  return NULL;
}

static int to[2], from[2];

// What comes is sent back, one more. Anything but read, write and exit would end it.
static void *strict(void *argument) {
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  unsigned char one;
  while (read(to[0], &one, 1) == 1 && one != 255) {
    one++;
    if (write(from[1], &one, 1) != 1) break;
  }
  syscall(SYS_exit, 0);
  return argument;
}

int main(void) {
  if (pipe(to) || pipe(from)) return 1;
  pthread_barrier_init(&done, NULL, 2), pthread_barrier_init(&synced, NULL, 2);
  pthread_t threads[2];
  if (filter(SYS_getsid, SECCOMP_RET_ERRNO | EDOM, SECCOMP_FILTER_FLAG_LOG)) return 2;
  pthread_create(&threads[1], NULL, strict, NULL);
  pthread_detach(threads[1]);
  if (filter(SYS_restart_syscall, SECCOMP_RET_KILL_PROCESS, 0)) return 3;
  pthread_create(&threads[0], NULL, own, NULL);
  for (int round = 0; round < rounds; round++) {
    struct timespec time = {0, 10000000};
    if (nanosleep(&time, NULL)) return 4;
    if (syscall(SYS_getpgid, 0) < 0) return 5;
    if (!refuses(SYS_getsid, EDOM)) return 6;
    if (count() != 2) return 7;
    unsigned char one = (unsigned char)(round % 100);
    if (write(to[1], &one, 1) != 1 || read(from[0], &one, 1) != 1 || one != round % 100 + 1) return 8;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)) return 9;
  }
  unsigned char last = 255;
  if (write(to[1], &last, 1) != 1) return 10;
  usleep(20000);
  pthread_barrier_wait(&done);
  pthread_barrier_wait(&synced);
  void *wrong;
  pthread_join(threads[0], &wrong);
  if (wrong) return (int)(long)wrong;
  return refuses(SYS_getpriority, ENOTTY) && count() == 4 ? 0 : 11;
}
