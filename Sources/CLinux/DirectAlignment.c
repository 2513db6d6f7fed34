// Alone in its file: <linux/stat.h> declares struct statx as <sys/stat.h> does.
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "CLinux.h"

int clinux_direct_alignment(int descriptor, uint32_t *memory, uint32_t *offset) {
  *memory = 0;
  *offset = 0;
#ifdef STATX_DIOALIGN
  struct statx status = {0};
  int result =
    (int)syscall(SYS_statx, descriptor, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status);
  if (result == 0 && (status.stx_mask & STATX_DIOALIGN)) {
    *memory = status.stx_dio_mem_align;
    *offset = status.stx_dio_offset_align;
  }
  return result;
#else
  (void)descriptor;
  return 0;
#endif
}
