// Writes to memory at full speed in two places that must always agree, has memory that forks do not get, and
// looks for children that it did not make, in every way there is.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { words = 1 << 20 };
static volatile int signals;
static void count(int signal) { (void)signal, signals++; }
static volatile unsigned long *one, *two, *wiped, *unforked;
static volatile int over;

static void *write_on(void *argument) {
  unsigned long seen = 0;
  while (!over) {
    for (int i = 0; i < words; i += 64) {
      one[i]++;
      two[i]++;
      wiped[i % 4096]++;
      unforked[i % 4096]++;
    }
    seen++;
    for (int i = 0; i < words; i += 64)
      if (one[i] != seen || two[i] != seen) return (void *)1;
    for (int i = 0; i < 4096; i += 64)
      if (wiped[i] != seen * (words / 4096) || unforked[i] != wiped[i]) return (void *)2;
  }
  return argument;
}

static unsigned long *area(void) {
  return mmap(NULL, words * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int main(void) {
  signal(SIGCHLD, count);
  one = area(), two = area(), wiped = area(), unforked = area();
  madvise((void *)wiped, words * 8, MADV_WIPEONFORK);
  madvise((void *)unforked, words * 8, MADV_DONTFORK);
  madvise((void *)two, words * 8, MADV_HUGEPAGE);
  pthread_t writer;
  pthread_create(&writer, NULL, write_on, NULL);
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  do {
    errno = 0;
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) return 10;
    if (waitpid(-1, NULL, WNOHANG | __WALL) != -1 || errno != ECHILD) return 11;
    char children[256] = {0};
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    int file = open(path, O_RDONLY);
    if (file < 0 || read(file, children, sizeof children) != 0) return 12;
    close(file);
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    if (usage.ru_maxrss != 0 && signals) return 13;
    if (signals) return 14;
    usleep(300);
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec - start.tv_sec < 8);
  over = 1;
  void *wrong;
  pthread_join(writer, &wrong);
  return wrong ? 20 + (int)(long)wrong : 0;
}
