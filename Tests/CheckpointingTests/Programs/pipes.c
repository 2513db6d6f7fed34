// Pipes and FIFOs with content, in packets, of another size; locks of all kinds; signals of descriptors.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int signalled, number;

static void note(int signal, siginfo_t *information, void *context) {
  (void)signal, (void)context;
  signalled++;
  number = information->si_fd;
}

// Whether another process could have the lock.
static int free_for_others(const char *path, int type, long start, long length) {
  pid_t child = fork();
  if (child == 0) {
    int file = open(path, O_RDWR);
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    _exit(fcntl(file, F_OFD_SETLK, &lock) == 0);
  }
  int status;
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

int main(int argc, char **argv) {
  if (argc < 2 || (mkdir(argv[1], 0700), chdir(argv[1]))) return 1;
  int packets[2], large[2], ended[2], deaf[2];
  if (pipe2(packets, O_DIRECT | O_NONBLOCK) || pipe(large) || pipe(ended) || pipe(deaf)) return 2;
  if (write(packets[1], "one", 3) != 3 || write(packets[1], "three", 5) != 5) return 3;
  int size = fcntl(large[1], F_SETPIPE_SZ, 1 << 18);
  char *block = malloc(200000), *back = malloc(200000);
  for (int i = 0; i < 200000; i++) block[i] = (char)(i * 7);
  if (write(large[1], block, 200000) != 200000) return 4;
  if (write(ended[1], "end", 3) != 3) return 5;
  close(ended[1]);
  close(deaf[0]);
  signal(SIGPIPE, SIG_IGN);
  unlink("fifo");
  if (mkfifo("fifo", 0600)) return 6;
  int reader = open("fifo", O_RDONLY | O_NONBLOCK), writer = open("fifo", O_WRONLY | O_APPEND);
  if (write(writer, "fifo content", 12) != 12) return 7;
  int second = open("fifo", O_RDONLY | O_NONBLOCK);  // another reading end of the same content

  int whole = open("whole", O_RDWR | O_CREAT, 0600), own = open("own", O_RDWR | O_CREAT, 0600);
  int description = open("description", O_RDWR | O_CREAT, 0600);
  int copy = dup(whole);
  if (flock(whole, LOCK_EX)) return 8;
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};
  if (fcntl(own, F_SETLK, &lock)) return 9;
  lock = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 0};
  if (fcntl(own, F_SETLK, &lock)) return 10;
  lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 7, .l_len = 1};
  if (fcntl(description, F_OFD_SETLK, &lock)) return 11;

  struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGRTMIN + 5, &action, NULL);
  int watched[2];
  if (pipe(watched)) return 12;
  struct f_owner_ex owner = {F_OWNER_PID, getpid()}, seen;
  if (fcntl(watched[0], F_SETOWN_EX, &owner) || fcntl(watched[0], F_SETSIG, SIGRTMIN + 5)) return 13;
  if (fcntl(watched[0], F_SETFL, O_ASYNC | O_NONBLOCK)) return 14;

  for (int i = 1; i <= 150; i++) {
    usleep(10000);
    char byte = 'w';
    if (write(watched[1], &byte, 1) != 1) return 15;
    for (int n = 0; signalled < i && n < 1000; n++) usleep(1000);
    if (signalled != i || number != watched[0]) return 16;
    if (read(watched[0], &byte, 1) != 1) return 17;
  }

  char bytes[64];
  if (read(packets[0], bytes, 64) != 3 || memcmp(bytes, "one", 3)) return 18;
  if (read(packets[0], bytes, 2) != 2 || read(packets[0], bytes, 64) != -1) return 19;
  if (!(fcntl(packets[1], F_GETFL) & O_DIRECT)) return 20;
  if (fcntl(large[0], F_GETPIPE_SZ) != size) return 21;
  if (read(large[0], back, 200000) != 200000 || memcmp(block, back, 200000)) return 22;
  if (read(ended[0], bytes, 64) != 3 || read(ended[0], bytes, 64) != 0) return 23;
  if (write(deaf[1], "x", 1) != -1) return 24;
  if (read(second, bytes, 64) != 12 || memcmp(bytes, "fifo content", 12)) return 25;
  if (read(reader, bytes, 64) != -1 || fcntl(writer, F_GETFL) != (O_WRONLY | O_APPEND | (fcntl(writer, F_GETFL) & 0100000))) return 26;

  int other = open("whole", O_RDWR);
  if (flock(other, LOCK_SH | LOCK_NB) != -1) return 27;
  flock(copy, LOCK_UN);  // the same description
  if (flock(other, LOCK_SH | LOCK_NB)) return 28;
  if (free_for_others("own", F_RDLCK, 12, 1) || free_for_others("own", F_WRLCK, 5000, 1)) return 29;
  if (!free_for_others("own", F_RDLCK, 5000, 1) || !free_for_others("own", F_WRLCK, 15, 85)) return 30;
  if (free_for_others("description", F_RDLCK, 7, 1) || !free_for_others("description", F_WRLCK, 8, 1)) return 31;
  if (fcntl(watched[0], F_GETOWN_EX, &seen) || seen.type != F_OWNER_PID || seen.pid != getpid()) return 32;
  return fcntl(watched[0], F_GETSIG) == SIGRTMIN + 5 ? 0 : 33;
}
