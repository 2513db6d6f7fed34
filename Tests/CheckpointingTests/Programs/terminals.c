// A pseudoterminal inside of the tree: a child that leads a session on it, its settings and size, who is in
// the foreground, its number, packets and signals from the keyboard.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static volatile int interrupted;
static void note(int signal) { interrupted = signal; }

// Says after each line that it reads what it got; ends by a signal from the keyboard.
static int child(int slave, const char *path) {
  setsid();
  if (ioctl(slave, TIOCSCTTY, 0)) return 1;
  int own = open("/dev/tty", O_WRONLY | O_NONBLOCK);
  if (own < 0) return 9;
  struct sigaction action = {.sa_handler = note};
  sigaction(SIGINT, &action, NULL);
  pid_t background = fork();
  if (background == 0) {
    setpgid(0, 0);
    for (;;) pause();
  }
  setpgid(background, background);
  char line[64];
  for (;;) {
    ssize_t got = read(slave, line, sizeof line);
    if (got < 0 && errno == EINTR && interrupted == SIGINT) break;
    if (got <= 0) return 2;
    if (write(slave, line, got) != got) return 3;
  }
  if (tcgetsid(slave) != getpid() || tcgetpgrp(slave) != getpid()) return 4;
  if (getpgid(background) != background || getsid(background) != getpid()) return 5;
  struct stat node;
  int flags = fcntl(own, F_GETFL);
  if (fstat(own, &node) || node.st_rdev != makedev(5, 0) || !(flags & O_NONBLOCK)) return 7;
  if (tcgetsid(own) != getpid()) return 8;
  int again = open("/dev/tty", O_RDWR);
  if (again < 0 || strcmp(ttyname(slave), path) || write(own, "bye\n", 4) != 4) return 6;
  kill(background, SIGKILL);
  waitpid(background, NULL, 0);
  return 42;
}

// A low number may be somebody else's by the time of the restore: this gets one that others hardly come to, also others
// of this program.
static int open_with_high_number(int *master, int *slave, const struct winsize *size) {
  int low[200];
  const int count = 40 + getpid() % 160;
  for (int i = 0; i < count; i++) low[i] = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  int result = openpty(master, slave, NULL, NULL, size);
  for (int i = 0; i < count; i++) close(low[i]);
  return result;
}

int main(void) {
  int master, slave;
  struct winsize size = {.ws_row = 33, .ws_col = 77}, seen;
  struct termios settings, now;
  if (open_with_high_number(&master, &slave, &size)) return 1;
  tcgetattr(slave, &settings);
  settings.c_lflag &= ~(ECHO | ECHOCTL);
  settings.c_oflag &= ~OPOST;
  settings.c_cc[VINTR] = 'I';
  cfsetspeed(&settings, B19200);
  tcsetattr(slave, TCSANOW, &settings);
  char path[64], line[64];
  strcpy(path, ttyname(slave));
  // One more, whose description has O_CLOEXEC in its flags, and that exec closes; and one that exec keeps.
  int closing = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC), kept = dup(closing);
  pid_t id = fork();
  if (id == 0) {
    close(master);
    _exit(child(slave, path));
  }
  int packets, other, on = 1;
  if (openpty(&packets, &other, NULL, NULL, NULL) || ioctl(packets, TIOCPKT, &on)) return 2;
  for (int i = 0; i < 150; i++) {
    int length = sprintf(line, "line %d\n", i);
    char back[64];
    if (write(master, line, length) != length) return 3;
    if (read(master, back, sizeof back) != length || memcmp(line, back, length)) return 4;
    usleep(10000);
  }
  if (ioctl(slave, TIOCGWINSZ, &seen) || memcmp(&seen, &size, sizeof seen)) return 5;
  if (tcgetattr(slave, &now) || now.c_cc[VINTR] != 'I' || now.c_lflag != settings.c_lflag || cfgetospeed(&now) != B19200) return 6;
  if (strcmp(ptsname(master), path) || strcmp(ttyname(slave), path)) return 7;
  if (write(other, "x", 1) != 1 || read(packets, line, sizeof line) != 2 || line[0] != TIOCPKT_DATA || line[1] != 'x') return 8;
  if (write(master, "I", 1) != 1 || read(master, line, sizeof line) != 4 || memcmp(line, "bye\n", 4)) return 9;
  if (fcntl(closing, F_GETFD) != FD_CLOEXEC || fcntl(kept, F_GETFD) || fcntl(slave, F_GETFD)) return 11;
  int status;
  return waitpid(id, &status, 0) == id && WEXITSTATUS(status) == 42 ? 0 : 10;
}
