// Files that no path leads to: removed ones, sparse and large, one of O_TMPFILE that gets its name later,
// memory files with seals, mapped and not.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const long far = 3L << 30;

int main(int argc, char **argv) {
  if (argc < 2 || (mkdir(argv[1], 0700), chdir(argv[1]))) return 1;
  int removed = open("removed", O_RDWR | O_CREAT | O_TRUNC, 0640);
  int reader = open("removed", O_RDONLY);
  unlink("removed");
  for (int i = 0; i < 50000; i++)
    if (write(removed, &i, sizeof i) != sizeof i) return 2;
  if (pwrite(removed, "far", 3, far) != 3) return 3;
  if (lseek(reader, 400, SEEK_SET) != 400) return 4;
  struct stat first;
  fstat(removed, &first);

  int nameless = open(".", O_TMPFILE | O_RDWR, 0600);
  if (nameless < 0 || write(nameless, "not yet", 7) != 7) return 5;

  int sealed = memfd_create("sealed thing", MFD_ALLOW_SEALING);
  if (write(sealed, "kept", 4) != 4) return 6;
  char *view = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, sealed, 0);
  if (fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)) return 7;
  int memory = memfd_create("memory", MFD_CLOEXEC);
  if (ftruncate(memory, 10000)) return 8;
  int *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (shared == MAP_FAILED || view == MAP_FAILED) return 9;

  for (int i = 0; i < 150; i++) {
    int number;
    if (read(reader, &number, sizeof number) != sizeof number || number != 100 + i) return 10;
    shared[i] = i;
    if (pread(memory, &number, sizeof number, 4 * i) != sizeof number || number != i) return 11;
    number = i * 3;
    if (pwrite(removed, &number, sizeof number, 1 << 20) != sizeof number) return 12;
    usleep(10000);
    if (pread(reader, &number, sizeof number, 1 << 20) != sizeof number || number != i * 3) return 13;
  }
  for (int i = 0; i < 150; i++)
    if (shared[i] != i) return 14;
  for (int i = 0; i < 50000; i++) {
    int number;
    if (pread(removed, &number, sizeof number, 4L * i) != sizeof number || number != i) return 15;
  }
  char bytes[8] = "";
  if (pread(reader, bytes, 8, far) != 3 || memcmp(bytes, "far", 3)) return 16;
  struct stat last;
  fstat(removed, &last);
  if (last.st_size != far + 3 || last.st_nlink || last.st_mode != first.st_mode || last.st_blocks > 4096) return 17;
  char path[64], link[4096];
  sprintf(path, "/proc/self/fd/%d", removed);
  ssize_t length = readlink(path, link, sizeof link);
  if (length < 18 || memcmp(link + length - 18, "/removed (deleted)", 18)) return 18;
  if (lseek(removed, 0, SEEK_CUR) != 200000) return 19;

  sprintf(path, "/proc/self/fd/%d", nameless);
  unlink("named");
  if (linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW)) return 20;
  int named = open("named", O_RDONLY);
  if (read(named, bytes, 8) != 7 || memcmp(bytes, "not yet", 7)) return 21;

  if (fcntl(sealed, F_GET_SEALS) != (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)) return 22;
  if (pread(sealed, bytes, 8, 0) != 4 || memcmp(bytes, "kept", 4) || write(sealed, "x", 1) != -1) return 23;
  if (fcntl(memory, F_GET_SEALS) != F_SEAL_SEAL || fcntl(memory, F_GETFD) != FD_CLOEXEC) return 24;
  fstat(memory, &last);
  sprintf(path, "/proc/self/fd/%d", memory);
  length = readlink(path, link, sizeof link);
  if (last.st_size != 10000 || length != 23 || memcmp(link, "/memfd:memory (deleted)", 23)) return 25;
  return memcmp(view, "kept", 4) ? 26 : 0;
}
