#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "CLinux.h"

static atomic_int stop_signal;
static atomic_int status_requested;
static atomic_int stop_event = -1;
static atomic_llong stop_time;

// The same wish often comes twice: timeout(1) sends its signal to the program and then to the group of both, and a
// terminal's ^C may be passed on by who also got it. What comes within this time belongs to the first.
static const long long echo_nanoseconds = 500000000;

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void note_stop(int signal) {
  atomic_store(&stop_signal, signal);
  atomic_store(&stop_time, now());
  int event = atomic_load(&stop_event);
  if (event >= 0) {
    uint64_t one = 1;
    ssize_t written = write(event, &one, sizeof one);
    (void)written;  // it fails only when the event is already signalled to the brim
  }
}

// The first wish is noted, the next one does what signals do: who asks twice is not asked to wait.
static void receive_stop(int signal) {
  int saved = errno;
  int none = 0;
  long long first = atomic_load(&stop_time);
  if (first == 0 && atomic_compare_exchange_strong(&stop_signal, &none, signal)) {
    note_stop(signal);
  } else if (first != 0 && now() - first > echo_nanoseconds) {
    clinux_die_of(signal);
  }
  errno = saved;
}

static void note_status_request(int signal) {
  (void)signal;
  atomic_store(&status_requested, 1);
}

int clinux_ignores(int signal) {
  struct sigaction present;
  return sigaction(signal, NULL, &present) == 0 && present.sa_handler == SIG_IGN;
}

// A shell without job control starts `command &` with SIGINT ignored, nohup(1) one with SIGHUP, and both mean it.
static int install_unless_ignored(int signal, const struct sigaction *action) {
  return clinux_ignores(signal) ? 0 : sigaction(signal, action, NULL);
}

int clinux_stop_install(void) {
  if (atomic_load(&stop_event) < 0) {
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0) return -1;
    int none = -1;
    if (!atomic_compare_exchange_strong(&stop_event, &none, event)) close(event);
  }
  struct sigaction stop = {.sa_handler = receive_stop, .sa_flags = SA_RESTART};
  struct sigaction status = {.sa_handler = note_status_request, .sa_flags = SA_RESTART};
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  struct sigaction standard = {.sa_handler = SIG_DFL};
  static const int wishes[] = {SIGHUP, SIGINT, SIGTERM};
  const size_t count = sizeof wishes / sizeof *wishes;
  // Each of them waits while another is being noted.
  for (size_t i = 0; i < count; i++) sigaddset(&stop.sa_mask, wishes[i]);
  for (size_t i = 0; i < count; i++)
    if (install_unless_ignored(wishes[i], &stop) != 0) return -1;
  if (sigaction(SIGUSR1, &status, NULL) != 0) return -1;
  if (sigaction(SIGPIPE, &ignore, NULL) != 0) return -1;
  if (sigaction(SIGWINCH, &ignore, NULL) != 0) return -1;
  // Nobody could wait for children of a process that was started with this ignored.
  if (sigaction(SIGCHLD, &standard, NULL) != 0) return -1;
  // A file that may not grow is an error of the write, after which there is something to clear away.
  if (sigaction(SIGXFSZ, &ignore, NULL) != 0) return -1;
  return atomic_load(&stop_event);
}

int clinux_stop_descriptor(void) { return atomic_load(&stop_event); }

int clinux_stop_signal(void) { return atomic_load(&stop_signal); }

void clinux_stop_set(int signal) {
  int event = atomic_load(&stop_event);
  if (signal != 0) {
    note_stop(signal);
  } else {
    atomic_store(&stop_time, 0);
    atomic_store(&stop_signal, 0);
    uint64_t count;
    if (event >= 0) {
      ssize_t taken = read(event, &count, sizeof count);
      (void)taken;  // nothing to take is what was wanted
    }
  }
}

int clinux_stop_take_status_request(void) { return atomic_exchange(&status_requested, 0); }

void clinux_die_of(int signal) {
  struct sigaction standard = {.sa_handler = SIG_DFL};
  sigaction(signal, &standard, NULL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  sigprocmask(SIG_UNBLOCK, &only, NULL);
  raise(signal);
}
