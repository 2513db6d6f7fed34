// Has what outlives a process: a System V segment, memory that has a name, a file that a socket is bound to, and
// a port. Says which, and ends with 0 when all of them are as they were at the end.
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static volatile sig_atomic_t asked;
static void ask(int signal) { asked = signal; }

int main(int count, char **arguments) {
  if (count != 3) return 1;
  struct sigaction action = {.sa_handler = ask};
  sigaction(SIGTERM, &action, NULL);
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &before);

  int segment = shmget(IPC_PRIVATE, 8192, 0600);
  char *inSegment = shmat(segment, NULL, 0);
  int file = open(arguments[1], O_RDWR | O_CREAT | O_EXCL, 0640);
  if (segment < 0 || file < 0 || ftruncate(file, 8192)) return 2;
  char *inFile = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  strcpy(inSegment, "segment");
  strcpy(inFile, "file");

  struct sockaddr_un name = {.sun_family = AF_UNIX};
  strncpy(name.sun_path, arguments[2], sizeof name.sun_path - 1);
  int local = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(local, (struct sockaddr *)&name, sizeof name) || listen(local, 4)) return 3;

  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof address;
  int port = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(port, (struct sockaddr *)&address, length) || listen(port, 4)) return 4;
  getsockname(port, (struct sockaddr *)&address, &length);
  printf("%d %d\n", segment, ntohs(address.sin_port));
  fflush(stdout);
  while (!asked) sigsuspend(&before);

  struct stat status;
  if (strcmp(inSegment, "segment") || strcmp(inFile, "file")) return 5;
  if (stat(arguments[1], &status) || status.st_size != 8192 || (status.st_mode & 0777) != 0640) return 6;
  if (stat(arguments[2], &status) || !S_ISSOCK(status.st_mode)) return 7;
  shmctl(segment, IPC_RMID, NULL);
  unlink(arguments[1]);
  unlink(arguments[2]);
  return 0;
}
