// Sets of epoll: with data of one's own, nested, shared with a child, edges, entries that were reported
// once, and entries whose number was closed or belongs to another file now.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void add(int set, int file, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  if (epoll_ctl(set, EPOLL_CTL_ADD, file, &event)) exit(100);
}

int main(void) {
  int inner = epoll_create1(EPOLL_CLOEXEC), outer = epoll_create1(0);
  int round[2], back[2], quiet[2], moved[2], busy[2];
  if (pipe(round) || pipe(back) || pipe(quiet) || pipe(moved) || pipe(busy)) return 1;
  int counter = eventfd(0, EFD_NONBLOCK);
  add(inner, back[0], EPOLLIN, 0xfedcba9876543210);
  add(outer, inner, EPOLLIN, 2);
  add(outer, quiet[0], EPOLLIN | EPOLLET, 3);
  add(outer, counter, EPOLLOUT | EPOLLONESHOT, 4);

  // Reported once, and silent since, though it goes on being ready.
  struct epoll_event event;
  if (epoll_wait(outer, &event, 1, 1000) != 1 || event.data.u64 != 4) return 2;
  if (epoll_wait(outer, &event, 1, 0) != 0) return 3;

  // Added under a number that now is closed here, but open elsewhere; and one that is another file now.
  int other = dup(moved[0]);
  add(inner, moved[0], EPOLLIN, 5);
  close(moved[0]);
  int last = dup(busy[0]);
  add(inner, busy[0], EPOLLIN, 6);
  if (dup2(quiet[1], busy[0]) != busy[0]) return 4;

  pid_t child = fork();
  if (child == 0) {
    char byte;
    while (read(round[0], &byte, 1) == 1)
      if (byte == 'q') _exit(9);
      else if (write(back[1], &byte, 1) != 1) _exit(10);
    _exit(11);
  }
  for (int i = 0; i < 220; i++) {
    char byte = 'a';
    usleep(10000);
    if (write(round[1], &byte, 1) != 1) return 5;
    if (epoll_wait(outer, &event, 1, 10000) != 1 || event.data.u64 != 2) return 6;
    if (epoll_wait(inner, &event, 1, 0) != 1 || event.data.u64 != 0xfedcba9876543210) return 7;
    if (read(back[0], &byte, 1) != 1 || byte != 'a') return 8;
    if (epoll_wait(outer, &event, 1, 0) != 0) return 9;
  }
  struct epoll_event events[8];
  if (write(moved[1], "m", 1) != 1 || epoll_wait(inner, events, 8, 1000) != 1 || events[0].data.u64 != 5) return 10;
  char byte;
  if (read(other, &byte, 1) != 1 || epoll_wait(inner, events, 8, 0) != 0) return 11;
  if (write(busy[1], "b", 1) != 1 || epoll_wait(inner, events, 8, 1000) != 1 || events[0].data.u64 != 6) return 12;
  if (read(last, &byte, 1) != 1) return 13;
  if (write(quiet[1], "q", 1) != 1 || epoll_wait(outer, events, 8, 1000) != 1 || events[0].data.u64 != 3) return 14;
  if (epoll_wait(outer, events, 8, 0) != 0) return 15;  // an edge is reported once
  event.events = EPOLLOUT | EPOLLONESHOT;
  event.data.u64 = 40;
  if (epoll_ctl(outer, EPOLL_CTL_MOD, counter, &event)) return 16;
  if (epoll_wait(outer, events, 8, 1000) != 1 || events[0].data.u64 != 40) return 17;
  int status;
  if (write(round[1], "q", 1) != 1 || waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 9) return 18;
  return 0;
}
