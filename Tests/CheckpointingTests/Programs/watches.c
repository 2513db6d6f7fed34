// inotify: watches keep their numbers and what they are for. pidfd: processes of the tree, a zombie, and one
// that has long gone.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int process(pid_t id) { return (int)syscall(SYS_pidfd_open, id, 0); }
static int over(int file) {
  struct pollfd one = {file, POLLIN, 0};
  return poll(&one, 1, 0);
}

int main(int argc, char **argv) {
  if (argc < 2 || (mkdir(argv[1], 0700), chdir(argv[1]))) return 1;
  mkdir("dir", 0700);
  close(open("file", O_CREAT | O_RDWR, 0600));
  close(open("gone", O_CREAT | O_RDWR, 0600));
  int watches = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  int first = inotify_add_watch(watches, "dir", IN_CREATE | IN_DELETE);
  int dropped = inotify_add_watch(watches, "gone", IN_OPEN);
  int third = inotify_add_watch(watches, "file", IN_MODIFY);
  inotify_rm_watch(watches, dropped);
  char events[4096];
  if (read(watches, events, sizeof events) <= 0) return 2;

  pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  pid_t zombie = fork();
  if (zombie == 0) _exit(3);
  pid_t past = fork();
  if (past == 0) _exit(4);
  int self = process(getpid()), alive = process(child), dead = process(zombie), ended = process(past);
  if (waitpid(past, NULL, 0) != past) return 3;
  while (!over(dead)) usleep(1000);

  for (int i = 0; i < 150; i++) {
    usleep(10000);
    if (over(self) || over(alive) || !over(dead) || !over(ended)) return 4;
    if (read(watches, events, sizeof events) != -1 || errno != EAGAIN) return 5;
  }
  close(open("dir/new", O_CREAT | O_RDWR, 0600));
  struct inotify_event *event = (void *)events;
  ssize_t got = read(watches, events, sizeof events);
  if (got <= 0 || event->wd != first || event->mask != IN_CREATE || strcmp(event->name, "new")) return 6;
  unlink("dir/new");
  if (read(watches, events, sizeof events) <= 0 || event->mask != IN_DELETE) return 7;
  int file = open("file", O_RDWR);
  if (write(file, "x", 1) != 1 || read(watches, events, sizeof events) <= 0) return 8;
  if (event->wd != third || event->mask != IN_MODIFY) return 9;
  if (syscall(SYS_pidfd_send_signal, alive, SIGKILL, NULL, 0)) return 10;
  int status;
  if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) || !over(alive)) return 11;
  siginfo_t information;
  if (waitid(P_PIDFD, dead, &information, WEXITED) || information.si_status != 3) return 12;
  if (syscall(SYS_pidfd_send_signal, ended, 0, NULL, 0) != -1 || errno != ESRCH) return 13;
  return syscall(SYS_pidfd_send_signal, self, 0, NULL, 0) ? 14 : 0;
}
