// patient SECONDS: waits in vfork(2) for a child that neither calls exec nor ends for so long; then goes on for ever.
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
  unsigned seconds = argc > 1 ? atoi(argv[1]) : 1;
  if (!vfork()) {
    sleep(seconds);
    _exit(0);
  }
  for (;;) pause();
}
