// Unix sockets: what is easily lost of them.
#include "cases.h"
#include <linux/sockios.h>
#include <grp.h>
#include <sys/un.h>

#ifndef SO_PEERPIDFD
#define SO_PASSPIDFD 76
#define SO_PEERPIDFD 77
#endif

static int a, b, c, d, listening, gate[2];
static int pair[2], other[2];
static pid_t child;

static socklen_t name(struct sockaddr_un *address, const char *path, int abstract) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  strcpy(address->sun_path + abstract, path);
  return offsetof(struct sockaddr_un, sun_path) + abstract + strlen(path) + !abstract;
}

static int bound(int type, const char *path, int abstract) {
  struct sockaddr_un address;
  socklen_t length = name(&address, path, abstract);
  int file = socket(AF_UNIX, type, 0);
  need(!bind(file, (void *)&address, length));
  return file;
}

static void join(int file, const char *path, int abstract) {
  struct sockaddr_un address;
  socklen_t length = name(&address, path, abstract);
  need(!connect(file, (void *)&address, length));
}

static const char *hidden(void) {
  static char text[40];
  if (!*text) snprintf(text, sizeof text, "ftool case %d", getpid());
  return text;
}

static int peer_is(int file, pid_t process, uid_t user, gid_t group) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  need(!getsockopt(file, SOL_SOCKET, SO_PEERCRED, &peer, &length));
  if (peer.pid == process && peer.uid == user && peer.gid == group) return 1;
  dprintf(2, "peer is %d %d %d\n", peer.pid, peer.uid, peer.gid);
  return 0;
}

static int receives(int file, const char *text) {
  char bytes[64];
  ssize_t got = recv(file, bytes, sizeof bytes, MSG_DONTWAIT);
  return got == (ssize_t)strlen(text) && !memcmp(bytes, text, got);
}

static int sends(int file, const char *text) {
  return send(file, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

static int is_named(int file, const char *path) {
  struct sockaddr_un address;
  socklen_t length = sizeof address;
  memset(&address, 0, sizeof address);
  need(!getsockname(file, (void *)&address, &length));
  return path ? !strcmp(address.sun_path, path) : length == 2;
}

static int has_no_peer(int file) {
  struct sockaddr_un address;
  socklen_t length = sizeof address;
  return getpeername(file, (void *)&address, &length) && errno == ENOTCONN;
}

// Who is at the other end: of a pair, and of a connection from a child of another user.

static void prepare_peers(void) {
  need(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  need(!socketpair(AF_UNIX, SOCK_DGRAM, 0, other));
  listening = bound(SOCK_STREAM, hidden(), 1);
  need(!listen(listening, 3));
  int back[2];
  need(!pipe(back) && !pipe(gate));
  if (!(child = fork())) {
    if (geteuid() == 0) need(!setgroups(0, NULL) && !setgid(65534) && !setuid(65534));
    a = socket(AF_UNIX, SOCK_STREAM, 0);
    join(a, hidden(), 1);
    need(write(back[1], "x", 1) == 1 && !close(gate[1]));
    char byte;
    need(read(gate[0], &byte, 1) == 0);  // another user may not see our folder
    _exit(peer_is(a, getppid(), atoi(getenv("OWNER")), atoi(getenv("GROUP"))) ? 9 : 1);
  }
  char byte;
  need(read(back[0], &byte, 1) == 1);
  close(back[0]), close(back[1]);
  b = accept(listening, NULL, NULL);
  need(b >= 0);
}

static void check_peers(void) {
  uid_t user = getuid();
  gid_t group = getgid();
  need(peer_is(pair[0], getpid(), user, group) && peer_is(pair[1], getpid(), user, group));
  need(peer_is(other[0], getpid(), user, group) && peer_is(other[1], getpid(), user, group));
  need(peer_is(b, child, user ? user : 65534, user ? group : 65534));
  close(gate[1]);
  int status, handle;
  socklen_t length = sizeof handle;
  if (!getsockopt(b, SOL_SOCKET, SO_PEERPIDFD, &handle, &length)) {
    struct pollfd ended = {handle, POLLIN, 0};
    need(poll(&ended, 1, 20000) == 1);
  }
  need(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 9);
}

// The one who made the pair is gone, and so is one whose message waits with its credentials.

static void prepare_gone(void) {
  int way[2], on = 1;
  need(!socketpair(AF_UNIX, SOCK_STREAM, 0, way));
  need(!socketpair(AF_UNIX, SOCK_DGRAM, 0, other));
  need(!setsockopt(other[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  union { char bytes[CMSG_SPACE(2 * sizeof(int))]; struct cmsghdr head; } control;
  char byte = 'x';
  struct iovec vector = {&byte, 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (!(child = fork())) {
    need(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.head), pair, sizeof pair);
    need(sends(other[0], "last words") && sendmsg(way[1], &message, 0) == 1);
    _exit(0);
  }
  need(recvmsg(way[0], &message, 0) == 1 && control.head.cmsg_type == SCM_RIGHTS);
  memcpy(pair, CMSG_DATA(&control.head), sizeof pair);
  close(way[0]), close(way[1]);
  need(waitpid(child, NULL, 0) == child);
}

static void check_gone(void) {
  need(peer_is(pair[0], child, getuid(), getgid()) && peer_is(pair[1], child, getuid(), getgid()));
  char bytes[64];
  union { char bytes[CMSG_SPACE(sizeof(struct ucred))]; struct cmsghdr head; } control;
  struct iovec vector = {bytes, 64};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  need(recvmsg(other[1], &message, 0) == 10 && control.head.cmsg_type == SCM_CREDENTIALS);
  struct ucred sender;
  memcpy(&sender, CMSG_DATA(&control.head), sizeof sender);
  need(sender.pid == child && sender.uid == getuid());
}

// Messages of no bytes.

static void prepare_empty(void) {
  need(!socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) && !socketpair(AF_UNIX, SOCK_SEQPACKET, 0, other));
  for (int round = 0; round < 2; round++) {
    need(sends(pair[0], "a") && sends(pair[0], "") && sends(pair[0], "b") && sends(pair[0], ""));
    need(sends(other[0], "") && sends(other[0], "c") && sends(other[0], ""));
  }
  need(!shutdown(other[0], SHUT_WR));
}

static void check_empty(void) {
  for (int round = 0; round < 2; round++) {
    need(receives(pair[1], "a") && receives(pair[1], "") && receives(pair[1], "b") && receives(pair[1], ""));
    need(receives(other[1], "") && receives(other[1], "c") && receives(other[1], ""));
  }
  char byte;
  need(recv(pair[1], &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
  need(recv(other[1], &byte, 1, MSG_DONTWAIT) == 0 && recv(other[1], &byte, 1, MSG_DONTWAIT) == 0);
}

// The other end was closed with something unread in it: that is an error, told once.

static void prepare_reset(void) {
  need(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && !socketpair(AF_UNIX, SOCK_STREAM, 0, other));
  need(sends(pair[0], "for you") && sends(pair[1], "never read") && sends(other[1], "nor this"));
  close(pair[0]), close(other[0]);
}

static void check_reset(void) {
  char bytes[8];
  int files[] = {pair[1], other[1]};
  need(receives(pair[1], "for you"));
  for (int i = 0; i < 2; i++) {
    need(recv(files[i], bytes, 8, 0) == -1 && errno == ECONNRESET);
    need(recv(files[i], bytes, 8, 0) == 0 && send(files[i], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
  }
}

// Datagrams: a pair of which one end got a name later, one whose other end is closed, one connected to itself.

static void prepare_datagrams(void) {
  need(!socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) && !socketpair(AF_UNIX, SOCK_DGRAM, 0, other));
  struct sockaddr_un address;
  socklen_t length = name(&address, in_folder("late"), 0);
  need(!bind(pair[1], (void *)&address, length));
  close(other[1]);
  a = bound(SOCK_DGRAM, in_folder("self"), 0);
  join(a, in_folder("self"), 0);
  b = bound(SOCK_DGRAM, in_folder("one"), 0), c = bound(SOCK_DGRAM, in_folder("two"), 0);
  join(b, in_folder("two"), 0), join(c, in_folder("one"), 0);
  need(sends(pair[0], "to name") && sends(pair[1], "from name") && sends(a, "to me") && sends(b, "hello"));
}

static void check_datagrams(void) {
  need(is_named(pair[1], in_folder("late")) && is_named(pair[0], NULL));
  need(receives(pair[1], "to name") && receives(pair[0], "from name"));
  need(sends(pair[0], "again") && receives(pair[1], "again") && sends(pair[1], "back") && receives(pair[0], "back"));
  d = socket(AF_UNIX, SOCK_DGRAM, 0);
  struct sockaddr_un address;
  socklen_t length = name(&address, in_folder("self"), 0);
  need(connect(d, (void *)&address, length) && errno == EPERM);  // it hears only itself
  need(receives(a, "to me") && sends(a, "more") && receives(a, "more"));
  need(send(other[0], "x", 1, 0) == -1 && errno == ECONNREFUSED);
  need(receives(c, "hello") && sends(c, "hi") && receives(b, "hi"));
  need(peer_is(b, 0, -1, -1) && !has_no_peer(b));
}

// Names: removed, taken by another since, of a listener that is closed, and given by the kernel.

static void prepare_names(void) {
  listening = bound(SOCK_STREAM, in_folder("gone"), 0);
  need(!listen(listening, 5));
  unlink(in_folder("gone"));
  a = bound(SOCK_STREAM, in_folder("name"), 0);
  need(!listen(a, 5));
  b = socket(AF_UNIX, SOCK_STREAM, 0);
  join(b, in_folder("name"), 0);
  c = accept(a, NULL, NULL);
  unlink(in_folder("name"));
  d = bound(SOCK_STREAM, in_folder("name"), 0);
  need(!listen(d, 6) && !chmod(in_folder("name"), 0705));
  int short_lived = bound(SOCK_STREAM, in_folder("short"), 0);
  need(!listen(short_lived, 5));
  for (int i = 0; i < 2; i++) {
    int file = socket(AF_UNIX, SOCK_STREAM, 0);
    join(file, in_folder("short"), 0);
    (i ? other : pair)[0] = file, (i ? other : pair)[1] = accept(short_lived, NULL, NULL);
  }
  close(short_lived);
  unlink(in_folder("short"));
  child = socket(AF_UNIX, SOCK_DGRAM, 0);
  sa_family_t family = AF_UNIX;
  need(!bind(child, (void *)&family, sizeof family));
  struct sockaddr_un address;
  socklen_t length = sizeof address;
  need(!getsockname(child, (void *)&address, &length) && length == 8);
  FILE *note = fopen(in_folder("auto"), "w");
  fwrite(address.sun_path, 6, 1, note);
  fclose(note);
}

static void check_names(void) {
  need(access(in_folder("gone"), F_OK) && access(in_folder("short"), F_OK));
  need(is_named(listening, in_folder("gone")) && is_named(a, in_folder("name")) && is_named(d, in_folder("name")));
  struct stat details;
  need(!stat(in_folder("name"), &details) && (details.st_mode & 07777) == 0705);
  int late = socket(AF_UNIX, SOCK_STREAM, 0);
  join(late, in_folder("name"), 0);
  struct pollfd waiting[] = {{a, POLLIN, 0}, {d, POLLIN, 0}};
  need(poll(waiting, 2, 0) == 1 && waiting[1].revents);
  need(is_named(c, in_folder("name")) && sends(b, "hey") && receives(c, "hey"));
  need(is_named(pair[1], in_folder("short")) && sends(pair[0], "1") && receives(pair[1], "1"));
  need(is_named(other[1], in_folder("short")) && sends(other[0], "2") && receives(other[1], "2"));
  struct sockaddr_un address;
  socklen_t length = sizeof address;
  char noted[6];
  FILE *note = fopen(in_folder("auto"), "r");
  need(note && fread(noted, 6, 1, note) == 1);
  need(!getsockname(child, (void *)&address, &length) && length == 8 && !memcmp(address.sun_path, noted, 6));
}

// Names that are relative paths: each leads to its socket from the folder that the program works in.

static void prepare_relative(void) {
  need(!chdir(folder));
  a = bound(SOCK_STREAM, "near", 0);
  need(!listen(a, 5) && !chmod("near", 0600));
  b = socket(AF_UNIX, SOCK_STREAM, 0);
  join(b, "near", 0);
  c = accept(a, NULL, NULL);
  need(c >= 0 && sends(b, "early"));
  d = bound(SOCK_DGRAM, "./mail", 0);
  child = socket(AF_UNIX, SOCK_DGRAM, 0);
  join(child, "mail", 0);
  need(sends(child, "letter"));
}

static void check_relative(void) {
  need(is_named(a, "near") && is_named(c, "near") && is_named(d, "./mail") && is_named(b, NULL));
  need(receives(c, "early") && sends(c, "back") && receives(b, "back"));
  need(receives(d, "letter") && sends(child, "another") && receives(d, "another"));
  struct stat details;
  need(!stat(in_folder("near"), &details) && S_ISSOCK(details.st_mode) && (details.st_mode & 07777) == 0600);
  need(!stat("mail", &details) && S_ISSOCK(details.st_mode));
  int late = socket(AF_UNIX, SOCK_STREAM, 0);
  join(late, in_folder("near"), 0);
  need(accept(a, NULL, NULL) >= 0);
}

// Files that were moved after the sockets got their names: they are reached where the files are now.

static void prepare_moved(void) {
  a = bound(SOCK_STREAM, in_folder("new"), 0);
  need(!listen(a, 5) && !chmod(in_folder("new"), 0600) && !rename(in_folder("new"), in_folder("service")));
  b = socket(AF_UNIX, SOCK_STREAM, 0);
  join(b, in_folder("service"), 0);
  c = accept(a, NULL, NULL);
  need(c >= 0 && sends(b, "early") && !mkdir(in_folder("elsewhere"), 0755));
  d = bound(SOCK_DGRAM, in_folder("mail"), 0);
  need(!rename(in_folder("mail"), in_folder("elsewhere/mail")));
  child = socket(AF_UNIX, SOCK_DGRAM, 0);
  join(child, in_folder("elsewhere/mail"), 0);
  need(sends(child, "letter"));
}

static void check_moved(void) {
  need(is_named(a, in_folder("new")) && is_named(c, in_folder("new")) && is_named(d, in_folder("mail")));
  need(receives(c, "early") && sends(c, "back") && receives(b, "back"));
  need(receives(d, "letter") && sends(child, "another") && receives(d, "another"));
  struct stat details;
  need(!stat(in_folder("service"), &details) && (details.st_mode & 07777) == 0600);
  need(access(in_folder("new"), F_OK) && access(in_folder("mail"), F_OK));
  int late = socket(AF_UNIX, SOCK_STREAM, 0);
  join(late, in_folder("service"), 0);
  need(accept(a, NULL, NULL) >= 0);
}

// Files that have changed places since, and a name that was left to another.

static void prepare_swapped(void) {
  a = bound(SOCK_STREAM, in_folder("one"), 0);
  b = bound(SOCK_STREAM, in_folder("two"), 0);
  need(!listen(a, 5) && !listen(b, 5));
  need(!rename(in_folder("one"), in_folder("aside")) && !rename(in_folder("two"), in_folder("one")));
  need(!rename(in_folder("aside"), in_folder("two")));
  c = bound(SOCK_DGRAM, in_folder("mail"), 0);
  need(!rename(in_folder("mail"), in_folder("mail.old")));
  d = bound(SOCK_DGRAM, in_folder("mail"), 0);
  child = socket(AF_UNIX, SOCK_DGRAM, 0);
  join(child, in_folder("mail.old"), 0);
  need(sends(child, "to the old"));
  listening = bound(SOCK_SEQPACKET, in_folder("read only"), 0);
  need(!chmod(in_folder("read only"), 0444));
}

static void check_swapped(void) {
  need(is_named(a, in_folder("one")) && is_named(b, in_folder("two")));
  need(is_named(c, in_folder("mail")) && is_named(d, in_folder("mail")));
  int late = socket(AF_UNIX, SOCK_STREAM, 0);
  join(late, in_folder("two"), 0);
  struct pollfd waiting = {a, POLLIN, 0};
  need(poll(&waiting, 1, 0) == 1 && accept(a, NULL, NULL) >= 0);
  need(receives(c, "to the old") && sends(child, "more") && receives(c, "more"));
  late = socket(AF_UNIX, SOCK_DGRAM, 0);
  join(late, in_folder("mail"), 0);
  need(sends(late, "to the new") && receives(d, "to the new"));
  need(!chmod(in_folder("read only"), 0600) && !listen(listening, 1));
  late = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  join(late, in_folder("read only"), 0);
}

// Connections of one listener that is gone, from who was given names by the kernel.

static int ends_of[3][2];

static void prepare_orphaned(void) {
  int on = 1;
  listening = bound(SOCK_STREAM, hidden(), 1);
  need(!listen(listening, 5));
  for (int i = 0; i < 3; i++) {
    ends_of[i][0] = socket(AF_UNIX, SOCK_STREAM, 0);
    need(!setsockopt(ends_of[i][0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    join(ends_of[i][0], hidden(), 1);
    ends_of[i][1] = accept(listening, NULL, NULL);
    need(ends_of[i][1] >= 0 && sends(ends_of[i][0], "early"));
  }
  need(!close(listening));
}

static void check_orphaned(void) {
  struct sockaddr_un address, wanted;
  for (int i = 0; i < 3; i++) {
    socklen_t length = sizeof address;
    need(receives(ends_of[i][1], "early") && sends(ends_of[i][1], "back") && receives(ends_of[i][0], "back"));
    need(!getpeername(ends_of[i][0], (void *)&address, &length) && length == name(&wanted, hidden(), 1));
    need(!memcmp(&address, &wanted, length));
  }
  need(!listen(bound(SOCK_STREAM, hidden(), 1), 1));
}

// Relative names in so deep a folder that no absolute path to it has room in an address.

static void prepare_deep(void) {
  need(!chdir(folder));
  for (int i = 0; i < 12; i++) need(!mkdir("a folder in a folder", 0755) && !chdir("a folder in a folder"));
  a = bound(SOCK_STREAM, "near", 0);
  need(!listen(a, 5));
  b = socket(AF_UNIX, SOCK_STREAM, 0);
  join(b, "near", 0);
  c = accept(a, NULL, NULL);
  d = bound(SOCK_DGRAM, "mail", 0);
  child = socket(AF_UNIX, SOCK_DGRAM, 0);
  join(child, "mail", 0);
  need(c >= 0 && sends(b, "early") && sends(child, "letter"));
}

static void check_deep(void) {
  need(is_named(a, "near") && is_named(c, "near") && is_named(d, "mail"));
  need(receives(c, "early") && sends(c, "back") && receives(b, "back"));
  need(receives(d, "letter") && sends(child, "another") && receives(d, "another"));
  int late = socket(AF_UNIX, SOCK_STREAM, 0);
  join(late, "near", 0);
  need(accept(a, NULL, NULL) >= 0);
}

// Connections in which both ends have names: one that listens still, one whose name was removed.

static void prepare_both(void) {
  a = bound(SOCK_STREAM, in_folder("server"), 0);
  b = bound(SOCK_SEQPACKET, in_folder("lost"), 0);
  need(!listen(a, 3) && !listen(b, 3));
  pair[0] = bound(SOCK_STREAM, in_folder("client"), 0);
  join(pair[0], in_folder("server"), 0);
  other[0] = bound(SOCK_SEQPACKET, hidden(), 1);
  join(other[0], in_folder("lost"), 0);
  need((pair[1] = accept(a, NULL, NULL)) >= 0 && (other[1] = accept(b, NULL, NULL)) >= 0);
  need(!unlink(in_folder("lost")) && sends(pair[0], "early") && sends(other[1], "late"));
}

static void check_both(void) {
  struct sockaddr_un peer;
  socklen_t length = sizeof peer;
  need(!getpeername(pair[1], (void *)&peer, &length) && !strcmp(peer.sun_path, in_folder("client")));
  need(is_named(pair[1], in_folder("server")) && is_named(other[1], in_folder("lost")));
  need(receives(pair[1], "early") && receives(other[0], "late") && access(in_folder("lost"), F_OK));
  int late = socket(AF_UNIX, SOCK_STREAM, 0);
  join(late, in_folder("server"), 0);
  need(accept(a, NULL, NULL) >= 0);
}

// Datagram sockets that others were connected to before they got a peer, or lost their name, of their own.

static void prepare_chain(void) {
  a = bound(SOCK_DGRAM, in_folder("first"), 0);
  b = bound(SOCK_DGRAM, in_folder("second"), 0);
  c = bound(SOCK_DGRAM, in_folder("third"), 0);
  d = socket(AF_UNIX, SOCK_DGRAM, 0);
  join(d, in_folder("first"), 0);
  // These wait in one that hears only the third afterwards.
  struct sockaddr_un second;
  socklen_t length = name(&second, in_folder("second"), 0);
  need(sendto(c, "from third", 10, 0, (void *)&second, length) == 10);
  int unnamed = socket(AF_UNIX, SOCK_DGRAM, 0);
  need(sendto(unnamed, "from nobody", 11, 0, (void *)&second, length) == 11);
  join(a, in_folder("second"), 0);
  need(sends(a, "from first"));
  join(b, in_folder("third"), 0);
  need(sendto(c, "again", 5, 0, (void *)&second, length) == 5);
  join(c, in_folder("third"), 0);
  need(sends(c, "to itself") && !unlink(in_folder("second")) && !unlink(in_folder("first")));
}

static void check_chain(void) {
  struct sockaddr_un sender;
  socklen_t size = sizeof sender;
  char bytes[16];
  need(receives(b, "from third") && recvfrom(b, bytes, 16, MSG_DONTWAIT, (void *)&sender, &size) == 11 && size == 0);
  need(receives(b, "from first") && receives(b, "again"));
  need(receives(c, "to itself") && sends(c, "more") && receives(c, "more"));
  // Who is connected hears nobody else.
  need(!sends(d, "x") && errno == EPERM && !sends(b, "x") && errno == EPERM);
  struct sockaddr_un peer;
  socklen_t length = sizeof peer;
  need(!getpeername(a, (void *)&peer, &length) && !strcmp(peer.sun_path, in_folder("second")));
  need(access(in_folder("first"), F_OK) && access(in_folder("second"), F_OK) && !access(in_folder("third"), F_OK));
}

// More in a queue than most may send.

enum { MANY = 20 << 20, PART = 100000 };

static void prepare_full(void) {
  static char bytes[PART];
  int room = MANY;
  need(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && !socketpair(AF_UNIX, SOCK_DGRAM, 0, other));
  skip_unless(!setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room));
  need(!setsockopt(other[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room));
  for (int sent = 0; sent < MANY; sent += PART) {
    memset(bytes, sent / PART, PART);
    need(send(pair[0], bytes, PART, MSG_DONTWAIT) == PART && send(other[0], bytes, PART, MSG_DONTWAIT) == PART);
  }
}

static void check_full(void) {
  static char bytes[PART];
  for (int got = 0; got < MANY; got += PART) {
    need(recv(pair[1], bytes, PART, MSG_WAITALL) == PART);
    for (int i = 0; i < PART; i++) need(bytes[i] == (char)(got / PART));
    need(recv(other[1], bytes, PART, MSG_DONTWAIT) == PART && bytes[0] == (char)(got / PART));
  }
  need(recv(pair[1], bytes, 1, MSG_DONTWAIT) == -1 && recv(other[1], bytes, 1, MSG_DONTWAIT) == -1);
}

static const struct test_case cases[] = {
  {"peers", prepare_peers, check_peers},
  {"gone", prepare_gone, check_gone},
  {"empty", prepare_empty, check_empty},
  {"reset", prepare_reset, check_reset},
  {"datagrams", prepare_datagrams, check_datagrams},
  {"names", prepare_names, check_names},
  {"relative", prepare_relative, check_relative},
  {"deep", prepare_deep, check_deep},
  {"moved", prepare_moved, check_moved},
  {"swapped", prepare_swapped, check_swapped},
  {"orphaned", prepare_orphaned, check_orphaned},
  {"both", prepare_both, check_both},
  {"chain", prepare_chain, check_chain},
  {"full", prepare_full, check_full},
  {0},
};

int main(int argc, char **argv) {
  char number[12];
  snprintf(number, sizeof number, "%d", getuid());
  setenv("OWNER", number, 1);
  snprintf(number, sizeof number, "%d", getgid());
  setenv("GROUP", number, 1);
  return run_case(argc, argv, cases);
}
