// May not make any process, and has no children to the end.
#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  struct rlimit none = {0, 0};
  if (setrlimit(RLIMIT_NPROC, &none)) return 1;
  if (getuid() == 0 && setuid(65534)) return 2;
  if (fork() != -1) return 77;
  for (int i = 0; i < 100; i++) {
    errno = 0;
    if (waitpid(-1, 0, 0) != -1 || errno != ECHILD) return 3;
    usleep(10000);
  }
  return 0;
}
