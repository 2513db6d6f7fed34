// Terminals: /dev/tty, lines that are half typed, masters whose slave was never opened or is closed.
#include "cases.h"
#include <pty.h>
#include <termios.h>

static int master, slave, other;
static pid_t child;

static void settled(int file) {
  // What was written to the other side gets here by and by.
  struct pollfd events = {file, POLLIN, 0};
  for (int i = 0; i < 20; i++) poll(&events, 1, 2);
}

// A session of the tree that has its terminal open under the name of /dev/tty, too.

static void prepare_tty(void) {
  need(!openpty(&master, &slave, NULL, NULL, NULL));
  int back[2];
  char byte;
  need(!pipe(back));
  if (!(child = fork())) {
    close(master);
    setsid();
    need(!ioctl(slave, TIOCSCTTY, 0));
    int tty = open("/dev/tty", O_RDWR | O_NONBLOCK), again = dup(tty), path = open("/dev/tty", O_PATH);
    need(tty >= 0 && again >= 0 && path >= 0 && write(back[1], "x", 1) == 1);
    wait_for_go();
    need(!close(slave) && write(tty, "by tty", 6) == 6 && fcntl(again, F_GETFL) & O_NONBLOCK && tcgetsid(again) == getpid());
    pause();
  }
  need(read(back[0], &byte, 1) == 1);
  close(slave), close(back[0]), close(back[1]);
}

static void check_tty(void) {
  char bytes[16];
  int done = 0;
  while (done < 6) {
    ssize_t got = read(master, bytes + done, 16 - done);
    need(got > 0);
    done += got;
  }
  need(done == 6 && !memcmp(bytes, "by tty", 6));
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

// Masters: nobody has opened the slave yet; the slave is closed again; the slave is locked.

static void prepare_masters(void) {
  need((master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK)) >= 0 && !grantpt(master) && !unlockpt(master));
  need((slave = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK)) >= 0 && !grantpt(slave) && !unlockpt(slave));
  int far = open(ptsname(slave), O_RDWR | O_NOCTTY);
  need(far >= 0 && !close(far));
  need((other = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK)) >= 0);
}

static void check_masters(void) {
  char byte;
  struct pollfd events = {master, POLLIN, 0};
  need(read(master, &byte, 1) == -1 && errno == EAGAIN && poll(&events, 1, 0) == 0);
  need(read(slave, &byte, 1) == -1 && errno == EIO);
  need(open(ptsname(other), O_RDWR | O_NOCTTY) == -1 && errno == EIO);
  int far = open(ptsname(master), O_RDWR | O_NOCTTY);
  need(far >= 0 && write(far, "x", 1) == 1);
  settled(master);
  need(read(master, &byte, 1) == 1 && byte == 'x');
}

// Somebody has typed half a line, and what was typed before has been read.

static void prepare_half(void) {
  need(!openpty(&master, &slave, NULL, NULL, NULL));
  char bytes[32];
  need(write(master, "whole\nhalX\177f", 12) == 12);
  need(read(slave, bytes, 32) == 6);
  settled(slave);
  settled(master);
  need(fcntl(master, F_SETFL, O_NONBLOCK) == 0);
  while (read(master, bytes, 32) > 0) {}
}

static void check_half(void) {
  char bytes[32];
  struct termios now;
  need(!tcgetattr(slave, &now) && now.c_lflag & ICANON && now.c_lflag & ECHO && now.c_cc[VERASE] == 0177);
  need(read(master, bytes, 32) == -1 && errno == EAGAIN);
  struct pollfd events = {slave, POLLIN, 0};
  need(poll(&events, 1, 0) == 0);
  need(write(master, "gX\177\n", 4) == 4 && read(slave, bytes, 32) == 6 && !memcmp(bytes, "halfg\n", 6));
}

// Terminals whose window was closed: by their names, and as a session's own.

static int hung_flags;

static void prepare_hung(void) {
  need((master = posix_openpt(O_RDWR | O_NOCTTY)) >= 0 && !grantpt(master) && !unlockpt(master));
  need((slave = open(ptsname(master), O_RDONLY | O_NOCTTY | O_NONBLOCK)) >= 0);
  if (!(child = fork())) {
    signal(SIGHUP, SIG_IGN);
    setsid();
    need(!ioctl(slave, TIOCSCTTY, 0) && (other = open("/dev/tty", O_RDWR)) >= 0);
    close(master);
    struct pollfd end = {other, 0, 0};
    while (poll(&end, 1, 5) == 0) {}
    wait_for_go();
    char byte;
    _exit(read(other, &byte, 1) == 0 && write(other, "x", 1) == -1 && errno == EIO ? 0 : 1);
  }
  usleep(100000);
  close(master);
  hung_flags = fcntl(slave, F_GETFL);
}

static void check_hung(void) {
  char byte;
  int status;
  struct pollfd end = {slave, 0, 0};
  need(poll(&end, 1, 0) == 1 && end.revents & POLLHUP && read(slave, &byte, 1) == 0);
  need(fcntl(slave, F_GETFL) == hung_flags && tcgetsid(slave) == -1 && errno == EIO);
  need(waitpid(child, &status, 0) == child && status == 0);
}

static const struct test_case cases[] = {
  {"tty", prepare_tty, check_tty},
  {"masters", prepare_masters, check_masters},
  {"half", prepare_half, check_half},
  {"hung", prepare_hung, check_hung},
  {0},
};

int main(int argc, char **argv) { return run_case(argc, argv, cases); }
