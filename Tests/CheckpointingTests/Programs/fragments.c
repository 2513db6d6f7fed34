// A tree whose processes keep changing memory in many small pieces, by a seed: pages that are equal, zeros, dropped,
// unreadable, shared with a parent. Each process knows what each of its pages holds, and looks in the end. With an odd
// seed the pages are over those of a memfd, which show again where a page is dropped; with some others over /dev/zero.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, DEPTH = 3, CHILDREN = 2 };
static uint64_t *memory;
static uint32_t *contents;  // what each page holds; 0 is zeros
static long pages;
static uint64_t state;
static int is_over_memfd;

// What a page holds that the process has not written.
static uint32_t base(long page) { return is_over_memfd ? 1 + page % 50 : 0; }

static uint64_t next(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return state >> 33;
}

static uint64_t word(uint32_t content, long index) {
  return content ? content * 0x9e3779b97f4a7c15u ^ (uint64_t)index * 0x2545f4914f6cdd1du : 0;
}

static void put(long page, uint32_t content) {
  for (long index = 0; index < WORDS; index++) memory[page * WORDS + index] = word(content, index);
  contents[page] = content;
}

static void drop(long page) {
  madvise(memory + page * WORDS, PAGE, MADV_DONTNEED);
  contents[page] = base(page);
}

// A change of every so many pages from some page on.
static void change(void) {
  static const long steps[] = {1, 2, 2, 3, 5};
  const long count = 1 + next() % (pages / 2), step = steps[next() % 5];
  const uint32_t kind = next() % 6, some = 1 + next() % 100;
  long page = next() % pages;
  if (kind == 5) {
    char *place = (char *)(memory + page * WORDS);
    const long length = (page + 40 < pages ? 40 : pages - page) * PAGE;
    mprotect(place, length, PROT_NONE);
    usleep(next() % 2000);
    mprotect(place, length, PROT_READ | PROT_WRITE);
    return;
  }
  for (long done = 0; done < count && page < pages; done += step, page += step) {
    switch (kind) {
      case 0: put(page, some); break;
      case 1: put(page, some + page % 50); break;
      case 2: put(page, 1000 + next() % 4000000000u); break;
      case 3: put(page, 0); break;
      default: drop(page); break;
    }
  }
}

static int is_right(void) {
  for (long page = 0; page < pages; page++)
    for (long index = 0; index < WORDS; index++)
      if (memory[page * WORDS + index] != word(contents[page], index)) {
        dprintf(2, "process %d: page %ld should have content %u\n", getpid(), page, contents[page]);
        return 0;
      }
  return 1;
}

static int live(int depth, const char *end) {
  pid_t children[CHILDREN];
  int made = 0;
  for (long round = 0; access(end, F_OK); round++) {
    change();
    if (depth < DEPTH && made < CHILDREN && next() % 4 == 0) {
      const uint64_t seed = next();
      const pid_t self = getpid(), child = fork();
      if (child == 0) {
        // Who kills the tree may not have seen this one yet.
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != self) _exit(1);
        state = seed;
        _exit(live(depth + 1, end));
      }
      children[made++] = child;
    }
    usleep(round < 5 ? next() % 3000 : 1000 + next() % 30000);
  }
  int wrong = !is_right();
  while (made > 0) {
    int status;
    if (waitpid(children[--made], &status, 0) < 0 || status) wrong = 1;
  }
  return wrong;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  pages = atol(argv[1]) << 8;
  state = strtoul(argv[2], NULL, 10) * 2654435761u + 1;
  is_over_memfd = atol(argv[2]) % 2;
  contents = calloc(pages, sizeof *contents);
  int file = atol(argv[2]) % 4 == 2 ? open("/dev/zero", O_RDWR) : -1;
  if (is_over_memfd) {
    file = memfd_create("base", 0);
    for (long page = 0; page < pages; page++) {
      uint64_t words[WORDS];
      contents[page] = base(page);
      for (long index = 0; index < WORDS; index++) words[index] = word(contents[page], index);
      if (write(file, words, PAGE) != PAGE) return 4;
    }
  }
  memory = mmap(
    NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | (file < 0 ? MAP_ANONYMOUS : 0), file, 0);
  if (memory == MAP_FAILED || !contents) return 3;
  madvise(memory, pages * PAGE, MADV_NOHUGEPAGE);
  return live(0, argv[3]);
}
