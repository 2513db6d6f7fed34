// What a program of cases has in common: `program CASE FOLDER` prepares a case, says that it is ready, waits
// until FOLDER/go is there, and checks whether anything was lost. Without a case it lists all that it has.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct test_case {
  const char *name;
  void (*prepare)(void);
  void (*check)(void);
};

static char folder[80];

// A line that is not as it should be is the exit status, and said in words.
#define need(what)                                                             \
  do {                                                                         \
    if (!(what)) {                                                             \
      dprintf(2, "line %d: %s (%s)\n", __LINE__, #what, strerror(errno));      \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

// This machine has no such thing.
#define skip_unless(what) do { if (!(what)) { dprintf(1, "skipped\n"); exit(77); } } while (0)

static const char *in_folder(const char *name) {
  static char paths[8][108];
  static int next;
  char *path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static void wait_for_go(void) {
  while (access(in_folder("go"), F_OK)) usleep(3000);
}

static int run_case(int argc, char **argv, const struct test_case *cases) {
  for (; cases->name; cases++) {
    if (argc < 3) {
      puts(cases->name);
    } else if (!strcmp(cases->name, argv[1])) {
      snprintf(folder, sizeof folder, "%s", argv[2]);
      mkdir(folder, 0755);
      cases->prepare();
      if (write(1, "ready\n", 6) != 6) return 2;
      wait_for_go();
      cases->check();
      if (write(1, "done\n", 5) != 5) return 2;
      return 0;
    }
  }
  return argc < 3 ? 0 : 3;
}
