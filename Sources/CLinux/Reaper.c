#include <stddef.h>
#include <sys/syscall.h>

#include "CLinux.h"

// This runs in a process of which nothing is left but the code of this file's page and a stack: no C library,
// no thread-local storage, no table of addresses. So there are raw calls only, nothing that a compiler turns
// into a call of memset, and no instrumentation.
#if defined(__clang__)
#define BARE __attribute__((no_stack_protector, no_sanitize("address", "thread", "undefined")))
#else
#define BARE __attribute__((optimize("no-stack-protector")))
#endif

#if defined(__x86_64__)
BARE static inline __attribute__((always_inline)) long raw_call(
  long number, long a, long b, long c, long d) {
  long value;
  register long fourth __asm__("r10") = d;
  __asm__ volatile("syscall"
                   : "=a"(value)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
                   : "rcx", "r11", "memory");
  return value;
}
#else
BARE static inline __attribute__((always_inline)) long raw_call(
  long number, long a, long b, long c, long d) {
  (void)number, (void)a, (void)b, (void)c, (void)d;
  return -38;
}
#endif

enum {
  wait_no_hang = 1,
  wait_stopped = 2,
  wait_all = 0x40000000,
  no_child = -10,
  interrupted = -4,
  child_signal = 17,
  code_index = 2,    // si_code, in words of four bytes
  sender_index = 4,  // si_pid
};

// All signals are blocked, and taken one by one: so none is lost, and none does anything by itself.
BARE static void reap(long root, long report) {
  uint64_t all = ~(uint64_t)0;
  int is_over = 0;
  int end = 0;
  for (;;) {
    for (;;) {
      int status;
      long child =
        raw_call(SYS_wait4, -1, (long)&status, wait_no_hang | wait_stopped | wait_all, 0);
      if (child == 0) break;
      if (child == interrupted) continue;
      if (child < 0) {
        // Who is left without a child has nothing to do any more: all of the tree has ended.
        if (child == no_child) raw_call(SYS_exit_group, end, 0, 0, 0);
        break;
      }
      if (child != root || is_over) continue;
      if (report >= 0) raw_call(SYS_write, report, (long)&status, sizeof status, 0);
      if ((status & 0xff) == 0x7f) continue;  // stopped
      is_over = 1;
      end = (status & 0x7f) == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f);
      if (report >= 0) raw_call(SYS_close, report, 0, 0, 0);
    }
    int32_t information[32];
    long signal =
      raw_call(SYS_rt_sigtimedwait, (long)&all, (long)information, 0, sizeof all);
    if (signal <= 0 || signal == child_signal || is_over) continue;
    // Only what somebody outside of the namespace has sent (who has no number in here): what a program of
    // the tree sends to its parent is for the parent, and what a terminal sends the root has as well.
    if (information[code_index] <= 0 && information[sender_index] == 0)
      raw_call(SYS_kill, root, signal, 0, 0);
  }
}

uintptr_t clinux_reaper_address(void) { return (uintptr_t)&reap; }
