// Memory that is shared, in as many pieces as it is told.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv) {
  for (int left = argc > 1 ? atoi(argv[1]) : 0; left > 0; left--) {
    char *piece = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (piece == MAP_FAILED) return 1;
    piece[0] = (char)left;
  }
  puts("ready");
  fflush(stdout);
  pause();
  return 0;
}
