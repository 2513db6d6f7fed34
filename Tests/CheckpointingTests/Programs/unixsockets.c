// Unix sockets: pairs of all types with messages under way, half closed and orphaned ones, listeners with a
// path and with an abstract name, connections to them, credentials, options.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static socklen_t name(struct sockaddr_un *address, const char *text, int abstract) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  strcpy(address->sun_path + abstract, text);
  return offsetof(struct sockaddr_un, sun_path) + abstract + strlen(text) + !abstract;
}

static int listener(const char *text, int abstract, int type) {
  struct sockaddr_un address;
  socklen_t length = name(&address, text, abstract);
  int file = socket(AF_UNIX, type, 0);
  if (!abstract) unlink(text);
  if (bind(file, (void *)&address, length)) return -1;
  if (type != SOCK_DGRAM && listen(file, 7)) return -1;
  return file;
}

static int client(const char *text, int abstract, int type) {
  struct sockaddr_un address;
  socklen_t length = name(&address, text, abstract);
  int file = socket(AF_UNIX, type, 0);
  return connect(file, (void *)&address, length) ? -1 : file;
}

int main(int argc, char **argv) {
  if (argc < 2) return 1;
  mkdir(argv[1], 0700);
  char path[100], hidden[64], datagrams[100];
  snprintf(path, sizeof path, "%s/socket", argv[1]);
  snprintf(datagrams, sizeof datagrams, "%s/datagrams", argv[1]);
  snprintf(hidden, sizeof hidden, "ftool test %d", getpid());

  int stream[2], messages[2], packets[2], half[2], orphan[2], proof[2], round[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, stream) || socketpair(AF_UNIX, SOCK_DGRAM, 0, messages)) return 2;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, packets) || socketpair(AF_UNIX, SOCK_STREAM, 0, half)) return 3;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, orphan) || socketpair(AF_UNIX, SOCK_STREAM, 0, proof)) return 4;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, round)) return 5;
  int size = 1 << 17, on = 1, wanted = 40000;
  char *large = malloc(size), *back = malloc(size);
  for (int i = 0; i < size; i++) large[i] = (char)(i * 13);
  if (write(stream[0], large, size) != size || write(stream[1], "other way", 9) != 9) return 6;
  if (send(messages[0], "first", 5, 0) != 5 || send(messages[0], "second one", 10, 0) != 10) return 7;
  if (send(packets[1], "p1", 2, 0) != 2 || send(packets[1], "p22", 3, 0) != 3) return 8;
  if (write(half[0], "last words", 10) != 10 || shutdown(half[0], SHUT_WR)) return 9;
  if (write(orphan[0], "from the dead", 13) != 13 || close(orphan[0])) return 10;
  if (setsockopt(proof[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) || write(proof[0], "me", 2) != 2) return 11;
  if (setsockopt(stream[0], SOL_SOCKET, SO_RCVBUF, &wanted, sizeof wanted)) return 12;

  umask(0);
  int named = listener(path, 0, SOCK_STREAM), abstract = listener(hidden, 1, SOCK_SEQPACKET);
  int inbox = listener(datagrams, 0, SOCK_DGRAM);
  if (named < 0 || abstract < 0 || inbox < 0) return 13;
  chmod(path, 0751);
  int connected = client(path, 0, SOCK_STREAM), server = accept(named, NULL, NULL);
  int outbox = client(datagrams, 0, SOCK_DGRAM);
  if (connected < 0 || server < 0 || outbox < 0 || write(connected, "to server", 9) != 9) return 14;
  if (send(outbox, "a letter", 8, 0) != 8) return 15;
  int fresh = socket(AF_UNIX, SOCK_STREAM, 0);

  pid_t child = fork();
  if (child == 0) {
    close(round[0]);
    char byte;
    while (read(round[1], &byte, 1) == 1)
      if (write(round[1], &byte, 1) != 1) _exit(1);
    _exit(7);
  }
  close(round[1]);
  for (int i = 0; i < 150; i++) {
    char byte = (char)i, got;
    usleep(10000);
    if (write(round[0], &byte, 1) != 1 || read(round[0], &got, 1) != 1 || got != byte) return 16;
  }
  close(round[0]);
  int status;
  if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7) return 17;

  char bytes[64];
  for (int done = 0, got; done < size; done += got)
    if ((got = read(stream[1], back + done, size - done)) <= 0) return 18;
  if (memcmp(large, back, size) || read(stream[0], bytes, 64) != 9) return 19;
  if (recv(messages[1], bytes, 64, 0) != 5 || recv(messages[1], bytes, 64, 0) != 10 || memcmp(bytes, "second one", 10)) return 20;
  if (recv(messages[1], bytes, 64, MSG_DONTWAIT) != -1) return 21;
  if (recv(packets[0], bytes, 1, 0) != 1 || recv(packets[0], bytes, 64, 0) != 3 || recv(packets[0], bytes, 64, 0) != -1 || errno != EAGAIN) return 22;
  if (read(half[1], bytes, 64) != 10 || read(half[1], bytes, 64) != 0) return 23;
  if (write(half[1], "still", 5) != 5 || read(half[0], bytes, 64) != 5) return 24;
  if (read(orphan[1], bytes, 64) != 13 || read(orphan[1], bytes, 64) != 0) return 25;
  if (send(orphan[1], "x", 1, MSG_NOSIGNAL) != -1 || errno != EPIPE) return 26;

  char control[CMSG_SPACE(sizeof(struct ucred))];
  struct iovec vector = {bytes, 64};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(proof[1], &message, 0) != 2) return 27;
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  if (!head || head->cmsg_type != SCM_CREDENTIALS || ((struct ucred *)CMSG_DATA(head))->pid != getpid()) return 28;
  int value;
  socklen_t length = sizeof value;
  if (getsockopt(stream[0], SOL_SOCKET, SO_RCVBUF, &value, &length) || value != 2 * wanted) return 29;

  struct sockaddr_un address;
  length = sizeof address;
  if (getsockname(server, (void *)&address, &length) || strcmp(address.sun_path, path)) return 30;
  length = sizeof address;
  if (getpeername(connected, (void *)&address, &length) || strcmp(address.sun_path, path)) return 31;
  if (read(server, bytes, 64) != 9 || write(server, "answer", 6) != 6 || read(connected, bytes, 64) != 6) return 32;
  struct stat file;
  if (stat(path, &file) || (file.st_mode & 07777) != 0751) return 33;
  int again = client(path, 0, SOCK_STREAM), accepted = accept(named, NULL, NULL);
  if (again < 0 || accepted < 0 || write(again, "x", 1) != 1 || read(accepted, bytes, 64) != 1) return 34;
  int more = client(hidden, 1, SOCK_SEQPACKET);
  if (more < 0 || accept(abstract, NULL, NULL) < 0) return 35;
  if (recv(inbox, bytes, 64, 0) != 8 || send(outbox, "next", 4, 0) != 4 || recv(inbox, bytes, 64, 0) != 4) return 36;
  length = name(&address, path, 0);
  return connect(fresh, (void *)&address, length) ? 37 : 0;
}
