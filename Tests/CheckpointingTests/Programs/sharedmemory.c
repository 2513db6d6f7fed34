// Parent and child share anonymous memory, a memfd with seals and a file of shm_open. Each adds to what the
// other wrote, so that memory that is no longer shared is noticed at once. A plain file that both map is the
// file's own, and is only asked to be shared still.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { count = 3, size = 1 << 20, rounds = 150 };

static _Atomic int *areas[count];
static const char *names[count] = {"/dev/zero (deleted)", "/memfd:a name (deleted)", "/dev/shm/"};
static _Atomic int *plain_area;

// The areas that are shared, as the kernel shows them.
static int shown(void) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[4096];
  int found = 0;
  while (fgets(line, sizeof line, maps))
    for (int i = 0; i < count; i++) {
      unsigned long from;
      sscanf(line, "%lx", &from);
      if (from == (unsigned long)areas[i] && strstr(line, " rw-s ") &&
          strstr(line, names[i]))
        found++;
    }
  fclose(maps);
  return found;
}

static int step(int parity) {
  for (int round = 0; round < rounds; round++)
    for (int i = 0; i < count; i++) {
      int *tail = (int *)areas[i] + size / 4 - 1;
      while (atomic_load(areas[i]) != 2 * round + parity) usleep(200);
      if (*tail != 3 * (2 * round + parity)) return 20 + i;
      *tail += 3;
      atomic_fetch_add(areas[i], 1);
      if (i == 0) usleep(8000);
    }
  return 0;
}

int main(int argc, char **argv) {
  int sealed = memfd_create("a name", MFD_ALLOW_SEALING);
  if (ftruncate(sealed, size) || fcntl(sealed, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK)) return 1;
  char name[64];
  snprintf(name, sizeof name, "/ftool-test-%d", getpid());
  int named = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0640);
  int plain = open(argv[1], O_RDWR | O_CREAT, 0600);
  if (named < 0 || plain < 0 || ftruncate(named, size) || ftruncate(plain, size)) return 2;
  areas[0] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  areas[1] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, sealed, 0);
  areas[2] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, named, 0);
  plain_area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, plain, 0);
  // A second view of the same memory.
  char *view = mmap(NULL, 4096, PROT_READ, MAP_SHARED, sealed, size - 4096);
  close(sealed), close(named), close(plain);
  pid_t child = fork();
  if (child == 0) {
    int result = step(1);
    atomic_store(plain_area, 77);
    _exit(result);
  }
  int result = step(0);
  int status;
  waitpid(child, &status, 0);
  if (result) return result;
  if (!WIFEXITED(status) || WEXITSTATUS(status)) return WIFEXITED(status) ? WEXITSTATUS(status) : 9;
  if (shown() != count) return 10;
  if (atomic_load(plain_area) != 77) return 14;
  if (*(int *)(view + 4092) != 3 * 2 * rounds) return 11;
  int again = shm_open(name, O_RDWR, 0);
  struct stat info;
  if (again < 0 || fstat(again, &info) || (info.st_mode & 0777) != 0640 || info.st_size != size) return 12;
  int value = 0;
  if (pread(again, &value, 4, 0) != 4 || value != 2 * rounds) return 13;
  shm_unlink(name);
  return 0;
}
