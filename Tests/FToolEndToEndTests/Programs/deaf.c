// Threads that wait in calls which any signal ends (signal(7)), while signals come that the program ignores: nothing
// ends. Says what did.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int poller, semaphores, pair[2];

static void told(const char *call, long result) {
  printf("%s ended: %ld, %s\n", call, result, result < 0 ? strerror(errno) : "");
  fflush(stdout);
}

static void *wait_epoll(void *unused) {
  struct epoll_event event;
  for (;;) told("epoll_wait", epoll_wait(poller, &event, 1, -1));
}
static void *wait_semaphore(void *unused) {
  struct sembuf take = {0, -1, 0};
  for (;;) told("semop", semop(semaphores, &take, 1));
}
static void *wait_signal(void *unused) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  for (;;) told("sigwaitinfo", sigwaitinfo(&set, NULL));
}
static void *wait_sleep(void *unused) {
  struct timespec long_time = {1000, 0};
  for (;;) told("nanosleep", nanosleep(&long_time, NULL));
}
static void *wait_poll(void *unused) {
  for (;;) told("poll", poll(NULL, 0, 1000000));
}
static void *wait_send(void *unused) {
  char bytes[4096] = "";
  for (;;) {
    long sent = send(pair[0], bytes, sizeof bytes, 0);
    if (sent < 0) told("send", sent);
  }
}

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  struct timeval limit = {1000, 0};
  semaphores = semget(IPC_PRIVATE, 1, 0600);
  poller = epoll_create1(0);
  if (semaphores < 0 || poller < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return 1;
  if (setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit)) return 2;
  void *(*waits[])(void *) = {wait_epoll, wait_semaphore, wait_signal, wait_sleep, wait_poll, wait_send};
  for (int i = 0; i < 6; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, waits[i], NULL)) return 3;
  }
  usleep(200000);
  puts("ready");
  fflush(stdout);
  sigdelset(&set, SIGHUP);
  while (sigwaitinfo(&set, NULL) != SIGTERM) told("sigwaitinfo", -1);
  semctl(semaphores, 0, IPC_RMID);
  return 0;
}
