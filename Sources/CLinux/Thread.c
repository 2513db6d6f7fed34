#define _GNU_SOURCE  // sched_getaffinity, pthread_setname_np
#include <pthread.h>
#include <sched.h>

#include "CLinux.h"

int clinux_core_count(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return -1;
  return CPU_COUNT(&set);
}

int clinux_name_thread(const char *name) { return pthread_setname_np(pthread_self(), name); }
