// Much memory that three children and a grandchild still share with the process that forked them, but for what
// each has written, zeroed, given up, unmapped, protected and added; and a child that is another program.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 64 << 8, GROWN = 3 << 20 };
// Of a file: what is written here is private, what is given up is again what the file has.
static char data[64 * PAGE] = {[0 ... 64 * PAGE - 1] = 7};
static unsigned char *memory, *holes, *grown;
static const char *end;

static unsigned char pattern(int page) { return page % 251 + 1; }

static void fill(unsigned char *at, int pages) {
  for (int i = 0; i < pages; i++) {
    memset(at + (long)i * PAGE, pattern(i), PAGE);
    *(int *)(at + (long)i * PAGE) = i;
  }
}

static int is_filled(unsigned char *at, int i) {
  unsigned char *page = at + (long)i * PAGE;
  if (*(int *)page != i) return 0;
  for (int k = 4; k < PAGE; k++)
    if (page[k] != pattern(i)) return 0;
  return 1;
}

static int is_all(const void *at, int byte, int pages) {
  const unsigned char *bytes = at;
  for (long k = 0; k < (long)pages * PAGE; k++)
    if (bytes[k] != byte) return 0;
  return 1;
}

static void change(int who) {
  for (int i = who; i < PAGES; i += 997) memory[(long)i * PAGE + 99] = who;
  memset(memory + (1000 + 16 * who) * PAGE, 0, 4 * PAGE);
  madvise(memory + (2000 + 16 * who) * PAGE, 4 * PAGE, MADV_DONTNEED);
  memset(data + (8 * who) * PAGE, 0, PAGE);
  madvise((void *)(((long)data + (8 * who + 3) * PAGE) & -PAGE), PAGE, MADV_DONTNEED);
  munmap(holes + 16 * who * PAGE, 4 * PAGE);
  mprotect(holes + (200 + 16 * who) * PAGE, 4 * PAGE, PROT_READ);
  grown = sbrk(GROWN);
  memset(grown, who, GROWN);
}

static int check(int who, int before) {
  for (int i = 0; i < PAGES; i++) {
    int changed = 0, zero = 0;
    for (int one = before; one <= who; one += who - before ? who - before : 1) {
      if (i % 997 == one) changed = one;
      zero |= (i >= 1000 + 16 * one && i < 1004 + 16 * one) || (i >= 2000 + 16 * one && i < 2004 + 16 * one);
    }
    unsigned char *page = memory + (long)i * PAGE;
    if (zero) {
      if (!is_all(page, 0, 1)) return 10;
    } else if (changed) {
      if (page[99] != changed) return 11;
      page[99] = pattern(i);
      if (!is_filled(memory, i)) return 12;
      page[99] = changed;
    } else if (!is_filled(memory, i)) {
      return 13;
    }
  }
  if (!is_all(data + 8 * who * PAGE, 0, 1)) return 14;
  char *given = (void *)(((long)data + (8 * who + 3) * PAGE) & -PAGE);
  if (!is_all(given, 7, 1)) return 15;
  unsigned char there;
  if (!mincore(holes + 16 * who * PAGE, PAGE, &there)) return 16;
  if (!is_filled(holes, 16 * who + 4) || !is_filled(holes, 200 + 16 * who)) return 17;
  if (!is_all(grown, who, GROWN / PAGE)) return 18;
  return 0;
}

static void wait_for_end(void) {
  while (access(end, F_OK)) usleep(10000);
}

static void live(int who, int before) {
  wait_for_end();
  int wrong = check(who, before);
  if (wrong) printf("%d: %d\n", who, wrong), fflush(stdout);
  _exit(wrong);
}

int main(int argc, char **argv) {
  end = argv[1];
  if (argc > 2) {
    if (write(atoi(argv[2]), "", 1) != 1) return 7;
    wait_for_end();
    return 0;
  }
  memory = mmap(NULL, (long)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(memory, (long)PAGES * PAGE, MADV_NOHUGEPAGE);
  holes = mmap(NULL, 400 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fill(memory, PAGES);
  fill(holes, 400);
  memset(data + 60 * PAGE, 0, 2 * PAGE);
  memset(data + 40 * PAGE, 9, 16 * PAGE);
  pid_t children[4];
  int ready[2];
  if (pipe(ready)) return 1;
  for (int who = 1; who <= 3; who++) {
    if ((children[who] = fork()) == 0) {
      change(who);
      pid_t grandchild = 0;
      if (who == 2 && (grandchild = fork()) == 0) {
        change(who + 2);
        if (write(ready[1], "", 1) != 1) _exit(2);
        live(who + 2, who);
      }
      if (write(ready[1], "", 1) != 1) _exit(3);
      wait_for_end();
      int status = 0;
      if (grandchild && (waitpid(grandchild, &status, 0) != grandchild || status)) _exit(4);
      live(who, who);
    }
  }
  if ((children[0] = fork()) == 0) {
    char pipe_end[12];
    snprintf(pipe_end, sizeof pipe_end, "%d", ready[1]);
    execv(argv[0], (char *[]){argv[0], argv[1], pipe_end, NULL});
    _exit(5);
  }
  char byte;
  for (int i = 0; i < 5; i++)
    if (read(ready[0], &byte, 1) != 1) return 6;
  // The parent changes on its own what its children have as it was.
  memset(memory + 4000L * PAGE, 0, 8 * PAGE);
  printf("ready\n");
  fflush(stdout);
  wait_for_end();
  for (int i = 0; i < 4; i++) {
    int status;
    if (waitpid(children[i], &status, 0) != children[i] || status) return 20 + i;
  }
  if (!is_all(memory + 4000L * PAGE, 0, 8)) return 30;
  memset(memory + 4000L * PAGE, 0, 8 * PAGE);
  for (int i = 0; i < PAGES; i++)
    if ((i < 4000 || i >= 4008) && !is_filled(memory, i)) return 31;
  if (!is_all(data + 60 * PAGE, 0, 2) || !is_all(data + 40 * PAGE, 9, 16)) return 32;
  return 0;
}
