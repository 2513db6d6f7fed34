#define _GNU_SOURCE  // syscall
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "CLinux.h"

long clinux_call(long number, long a, long b, long c, long d, long e, long f) {
  long value = syscall(number, a, b, c, d, e, f);
  return value == -1 ? -errno : value;
}

long clinux_call_pointer(long number, long a, long b, const void *c, long d) {
  return clinux_call(number, a, b, (long)c, d, 0, 0);
}

// From clone(2); linux/sched.h has it only since 5.5, and not all of it.
struct clone_arguments {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
    set_tid_size, cgroup;
};

// What the child runs before it is seized must not touch the C library: another thread of the parent may
// have held any of its locks. So it makes raw calls only, and waits.
int clinux_spawn_stub(
  uint64_t flags, const int32_t *pids, uint64_t pid_count, int death_signal) {
  struct clone_arguments arguments = {
    .flags = flags, .exit_signal = SIGCHLD, .set_tid = (uint64_t)pids, .set_tid_size = pid_count};
  // Whoever knows its number may send it a signal at once: that waits until the process has its handlers.
  uint64_t all = UINT64_MAX, before;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
  long child;
#if defined(__x86_64__)
  register int parent __asm__("r12") = (int)syscall(SYS_getpid);
  __asm__ volatile(
    "syscall\n\t"
    "test %%rax, %%rax\n\t"
    "jnz 2f\n\t"
    "test %[death], %[death]\n\t"
    "jz 1f\n\t"
    "mov %[prctl], %%eax\n\t"
    "mov %[set_death], %%edi\n\t"
    "mov %[death], %%esi\n\t"
    "syscall\n\t"
    // Has it ended before it could be told?
    "mov %[getppid], %%eax\n\t"
    "syscall\n\t"
    "cmp %[parent], %%eax\n\t"
    "je 1f\n\t"
    "mov %[end], %%eax\n\t"
    "syscall\n"
    "1:\n\t"
    "mov %[pause], %%eax\n\t"
    "syscall\n\t"
    "jmp 1b\n"
    "2:"
    : "=a"(child)
    : "a"(SYS_clone3), "D"(&arguments), "S"(sizeof arguments), [death] "b"(death_signal),
      [parent] "r"(parent), [prctl] "i"(SYS_prctl), [set_death] "i"(PR_SET_PDEATHSIG),
      [getppid] "i"(SYS_getppid), [end] "i"(SYS_exit_group), [pause] "i"(SYS_pause)
    : "rcx", "r11", "memory");
#else
  child = -ENOSYS;
#endif
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
  return (int)child;
}

// As above: nothing of the C library but the bare calls.
int clinux_spawn_companion(void) {
  struct clone_arguments arguments = {.flags = 0x100000000};  // CLONE_CLEAR_SIGHAND
  long parent = syscall(SYS_getpid);
  long child = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child != 0) return child < 0 ? -errno : (int)child;
  syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (syscall(SYS_getppid) != parent) syscall(SYS_exit_group, 0);
  for (;;) syscall(SYS_pause);
}

// As above: nothing of the C library but the bare calls.
int clinux_spawn_guard(int reading, int writing, const int32_t *pids, uint64_t pid_count) {
  struct clone_arguments arguments = {.flags = 0x100800000};  // CLONE_CLEAR_SIGHAND, CLONE_UNTRACED
  long child = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child != 0) return child < 0 ? -errno : (int)child;
  uint64_t all = UINT64_MAX;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);
  syscall(SYS_close, writing);
  char word;
  long count;
  do count = syscall(SYS_read, reading, &word, 1);
  while (count < 0 && errno == EINTR);
  if (count != 1)
    for (uint64_t i = 0; i < pid_count; i++)
      if (pids[i] > 0) syscall(SYS_kill, pids[i], SIGKILL);
  for (;;) syscall(SYS_exit_group, 0);
}

int clinux_spawn_shell(const char *command, int input) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int error = posix_spawn_file_actions_init(&actions);
  if (error != 0) return -error;
  error = posix_spawnattr_init(&attributes);
  if (error != 0) {
    posix_spawn_file_actions_destroy(&actions);
    return -error;
  }
  // What clinux_stop_install ignores.
  sigset_t standard;
  sigemptyset(&standard);
  sigaddset(&standard, SIGPIPE);
  sigaddset(&standard, SIGWINCH);
  sigaddset(&standard, SIGXFSZ);
  char *arguments[] = {"sh", "-c", (char *)command, NULL};
  pid_t child = 0;
  error = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  if (error == 0) error = posix_spawnattr_setsigdefault(&attributes, &standard);
  if (error == 0) error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  if (error == 0) error = posix_spawn(&child, "/bin/sh", &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? child : -error;
}
