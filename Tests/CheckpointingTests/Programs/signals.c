// Handlers with flags and masks, an alternate stack, and signals that wait with what was sent along.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int sum, onStack;
static char stack[65536];

static void handle(int signal, siginfo_t *info, void *context) {
  (void)context;
  char here;
  onStack = &here >= stack && &here < stack + sizeof stack;
  sum += signal * 1000 + info->si_value.sival_int;
}

static int allAsSet(void) {
  struct sigaction action;
  if (sigaction(SIGRTMIN + 3, NULL, &action) || action.sa_sigaction != handle) return 1;
  if (!(action.sa_flags & SA_ONSTACK) || !(action.sa_flags & SA_SIGINFO)) return 2;
  if (!sigismember(&action.sa_mask, SIGUSR2) || sigismember(&action.sa_mask, SIGHUP)) return 3;
  if (sigaction(SIGHUP, NULL, &action) || action.sa_handler != SIG_IGN) return 4;
  if (sigaction(SIGCHLD, NULL, &action) || !(action.sa_flags & SA_NOCLDWAIT)) return 5;
  stack_t present;
  if (sigaltstack(NULL, &present) || present.ss_sp != stack || present.ss_size != sizeof stack) return 6;
  sigset_t blocked;
  pthread_sigmask(SIG_BLOCK, NULL, &blocked);
  if (!sigismember(&blocked, SIGRTMIN + 3) || sigismember(&blocked, SIGUSR1)) return 7;
  return 0;
}

int main(void) {
  stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&own, NULL);
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaddset(&action.sa_mask, SIGUSR2);
  sigaction(SIGRTMIN + 3, &action, NULL);
  signal(SIGHUP, SIG_IGN);
  struct sigaction children = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
  sigaction(SIGCHLD, &children, NULL);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGRTMIN + 3);
  pthread_sigmask(SIG_BLOCK, &blocked, NULL);
  for (int n = 1; n <= 5; n++) sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = n});
  pthread_sigqueue(pthread_self(), SIGRTMIN + 3, (union sigval){.sival_int = 100});
  for (int i = 0; i < 100; i++) {
    int wrong = allAsSet();
    if (wrong) return wrong;
    if (sum) return 20;
    usleep(10000);
  }
  pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
  if (sum != 6 * 1000 * (SIGRTMIN + 3) + 115) return 21;
  return onStack ? 0 : 22;
}
