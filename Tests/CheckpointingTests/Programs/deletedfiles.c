// Files that are mapped and have no name any more: private and shared, in memory and on disk, and the program
// itself. Their content is all there, and the kernel shows them under the names that they had.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { size = 9 * 4096 + 1000 };
static char paths[3][4096];
static unsigned char *maps[3];

static int look(int changed) {
  FILE *file = fopen("/proc/self/maps", "r");
  char line[4096], wanted[3][4200];
  int found = 0;
  for (int i = 0; i < 3; i++) snprintf(wanted[i], sizeof wanted[i], "%s (deleted)\n", paths[i]);
  while (fgets(line, sizeof line, file))
    for (int i = 0; i < 3; i++) found += strstr(line, wanted[i]) != NULL;
  fclose(file);
  if (found != 3) return 40 + found;
  for (int i = 0; i < 3; i++)
    for (int at = 0; at < size; at++) {
      unsigned char want = (unsigned char)(at * 7 + i);
      if (at == 4096 * 4) want = (unsigned char)changed;
      if (maps[i][at] != want) return 10 + i;
    }
  char link[4096] = {0};
  if (readlink("/proc/self/exe", link, sizeof link - 1) < 0 || !strstr(link, " (deleted)")) return 20;
  return 0;
}

int main(int argc, char **argv) {
  snprintf(paths[0], sizeof paths[0], "%s-private", argv[1]);
  snprintf(paths[1], sizeof paths[1], "%s-shared", argv[1]);
  snprintf(paths[2], sizeof paths[2], "/dev/shm/ftool-deleted-%d", getpid());
  char self[4096] = {0};
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0 || unlink(self)) return 1;
  for (int i = 0; i < 3; i++) {
    int file = open(paths[i], O_RDWR | O_CREAT | O_EXCL, 0640);
    unsigned char bytes[size];
    for (int at = 0; at < size; at++) bytes[at] = (unsigned char)(at * 7 + i);
    if (file < 0 || write(file, bytes, size) != size) return 2;
    maps[i] = mmap(NULL, size, PROT_READ | PROT_WRITE, i == 0 ? MAP_PRIVATE : MAP_SHARED, file, 0);
    close(file);
    unlink(paths[i]);
    maps[i][4096 * 4] = 0;
  }
  for (int round = 0; round < 150; round++) {
    int wrong = look(round);
    if (wrong) return wrong;
    for (int i = 0; i < 3; i++) maps[i][4096 * 4] = (unsigned char)(round + 1);
    usleep(10000);
  }
  return access(paths[0], F_OK) && access(paths[2], F_OK) ? 0 : 30;
}
