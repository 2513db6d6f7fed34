// Memory of all sorts: guards, holes, locks, advice, names, stacks that grow. The list of areas stays as it
// was, and so does what may be done with them.
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { page = 4096, pages = 16, size = page * pages };
static sigjmp_buf back;
static char alternate[65536];
static void on_fault(int signal) { siglongjmp(back, signal); }

static char *area(int flags) {
  // With a hole on either side, so that no two become one.
  char *at = mmap(NULL, size + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  munmap(at, page), munmap(at + page + size, page);
  memset(at + page, 0x5a, size);
  return at + page;
}

static int faults(volatile char *at) {
  if (sigsetjmp(back, 1)) return 1;
  (void)*at;
  return 0;
}

static char *list(void) {
  static char text[1 << 20];
  size_t used = 0;
  FILE *file = fopen("/proc/self/smaps", "r");
  char line[4096];
  while (fgets(line, sizeof line, file)) {
    unsigned long from, to;
    if (strncmp(line, "VmFlags", 7) == 0 || sscanf(line, "%lx-%lx ", &from, &to) == 2) {
      // Reading grows stack and heap; soft-dirty marks come and go.
      if (strstr(line, "[stack]") || strstr(line, "[heap]")) continue;
      char *mark = strstr(line, "sd ");
      if (mark) memmove(mark, mark + 3, strlen(mark + 3) + 1);
      used += (size_t)sprintf(text + used, "%s", line);
    }
  }
  fclose(file);
  return text;
}

int main(void) {
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK | SA_NODEFER};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  char *none = area(0), *guarded = area(0), *locked = area(0), *onfault = area(0), *cold = area(0);
  char *huge = area(0), *small = area(0), *named = area(0), *unforked = area(0), *wiped = area(0);
  char *undumped = area(0), *reserved = area(MAP_NORESERVE), *split = area(0), *random = area(0);
  mprotect(none, size, PROT_NONE);
  char *emptied = area(0);
  madvise(emptied, size, MADV_DONTNEED), mprotect(emptied, size, PROT_NONE);
  // Locked, though the call fails where nothing can be brought in.
  char *barred = area(0);
  if (mprotect(barred, size, PROT_NONE) || mlock(barred, 4 * page) == 0) return 3;
  int hasGuards = madvise(guarded + 3 * page, 2 * page, 102) == 0;
  if (mlock(locked, 4 * page)) return 1;
  madvise(onfault, size, MADV_DONTNEED);
  if (syscall(SYS_mlock2, onfault, 4 * page, 1)) return 2;
  madvise(huge, size, MADV_HUGEPAGE), madvise(small, size, MADV_NOHUGEPAGE);
  prctl(0x53564d41, 0, named, size, "a name");
  madvise(unforked, size, MADV_DONTFORK), madvise(wiped, size, MADV_WIPEONFORK);
  madvise(undumped, size, MADV_DONTDUMP), madvise(random, size, MADV_RANDOM);
  mprotect(split + 4 * page, 2 * page, PROT_READ), mprotect(split + 9 * page, page, PROT_READ | PROT_EXEC);
  for (int i = 0; i < pages; i++) cold[i * page] = 0;
  madvise(cold + 2 * page, 5 * page, MADV_DONTNEED);
  char *growing = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
  growing[0] = 1;
  char *sealed = area(0);
  syscall(462, sealed, size, 0);
  mlockall(MCL_FUTURE);
  char *before = strdup(list());
  before = strdup(list());  // the first copy may have needed an area
  char *mark = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(mark, page);
  for (int round = 0; round < 250; round++) {
    const char *now = list();
    if (strcmp(before, now) != 0) {
      fprintf(stderr, "BEFORE\n%s\nNOW\n%s\n", before, now);
      return 10;
    }
    if (!faults(none) || !faults(none + size - 1)) return 11;
    for (int i = 0; hasGuards && i < pages; i++)
      if (faults(guarded + i * page) != (i == 3 || i == 4)) return 12;
    for (int i = 0; i < size; i++) {
      if (locked[i] != 0x5a || split[i] != 0x5a || sealed[i] != 0x5a || reserved[i] != 0x5a) return 13;
      if (cold[i] != (i % page == 0 || (i >= 2 * page && i < 7 * page) ? 0 : 0x5a)) return 14;
      if (wiped[i] != 0x5a || unforked[i] != 0x5a || huge[i] != 0x5a) return 15;
    }
    mprotect(none, size, PROT_READ);
    for (int i = 0; i < size; i++)
      if (none[i] != 0x5a) return 16;
    mprotect(none, size, PROT_NONE);
    if (prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) != 1) return 17;
    // What is mapped now is locked at once.
    unsigned char in[1];
    char *fresh = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mincore(fresh, page, in) || !(in[0] & 1)) return 18;
    munmap(fresh, page);
    usleep(10000);
  }
  return 0;
}
