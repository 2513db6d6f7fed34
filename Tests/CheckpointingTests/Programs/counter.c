// Counts in memory, in registers and in a file's position, and says each number once.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  FILE *out = fopen(argv[1], "w");
  char *heap = malloc(1 << 20);
  memset(heap, 7, 1 << 20);
  for (int n = 0; n < 200; n++) {
    for (int i = 0; i < 1 << 20; i++)
      if (heap[i] != (char)(7 + n)) {
        fprintf(out, "wrong at %d\n", i);
        fflush(out);
        return 1;
      }
    memset(heap, 8 + n, 1 << 20);
    fprintf(out, "%d\n", n);
    fflush(out);
    usleep(10000);
  }
  fprintf(out, "done\n");
  fclose(out);
  return 0;
}
