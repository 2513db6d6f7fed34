// Most pages are there more than once, all over the memory, and many are zeros; a child has the same but for some.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS = 4096 / 8, KINDS = 700 };
static uint64_t *memory;
static long pages;

// Which content a page has: 0 for zeros, else one of some that are there often, or its own.
static uint64_t content(long page, int changed) {
  uint64_t mixed = (uint64_t)(page + 1) * 0x9e3779b97f4a7c15u >> 20;
  if (changed && mixed % 7 == 0) mixed = mixed * 31 + 5;
  if (mixed % 8 == 0) return 0;
  return mixed % 8 < 6 ? 1 + mixed % KINDS : KINDS + 1 + mixed;
}

static uint64_t word(uint64_t content, long index) {
  return content ? (content * 0x2545f4914f6cdd1du) ^ (uint64_t)index * index : 0;
}

static void fill(int changed) {
  for (long page = 0; page < pages; page++) {
    if (changed && content(page, 1) == content(page, 0)) continue;
    for (long index = 0; index < WORDS; index++) memory[page * WORDS + index] = word(content(page, changed), index);
  }
}

static int is_right(int changed) {
  for (long page = 0; page < pages; page++)
    for (long index = 0; index < WORDS; index++)
      if (memory[page * WORDS + index] != word(content(page, changed), index)) return 0;
  return 1;
}

static void wait_for(const char *path) {
  while (access(path, F_OK)) usleep(3000);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  pages = atol(argv[1]) << 8;
  memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fill(0);
  int way[2];
  if (pipe(way)) return 3;
  pid_t child = fork();
  if (child == 0) {
    fill(1);
    if (write(way[1], "x", 1) != 1) return 4;
    wait_for(argv[2]);
    return is_right(1) ? 0 : 5;
  }
  char byte;
  if (read(way[0], &byte, 1) != 1 || write(1, "ready\n", 6) != 6) return 6;
  wait_for(argv[2]);
  int status;
  if (waitpid(child, &status, 0) != child || status) return 7;
  return is_right(0) ? 0 : 8;
}
