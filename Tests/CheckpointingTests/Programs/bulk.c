// Has so many MiB of memory, of small pages or huge ones, and waits.
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv) {
  size_t size = (size_t)atol(argv[1]) << 20;
  char *at = mmap(NULL, size + (2 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  at = (char *)(((unsigned long)at + (2 << 20) - 1) & ~((2ul << 20) - 1));
  madvise(at, size, argv[2][0] == 'h' ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  for (size_t i = 0; i < size; i += 8) *(size_t *)(at + i) = i;
  // With one more argument: may not make any process.
  struct rlimit none = {0, 0};
  if (argc > 4 && (setrlimit(RLIMIT_NPROC, &none) || (getuid() == 0 && setuid(65534)))) return 2;
  write(1, "ready\n", 6);
  for (;;) {
    sleep(1);
    for (size_t i = 0; i < size; i += 8)
      if (*(size_t *)(at + i) != i) return 1;
    if (access(argv[3], F_OK) == 0) return 0;
  }
}
