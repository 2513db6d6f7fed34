#define _GNU_SOURCE  // O_DIRECT, SEEK_DATA, fallocate, and locks of the open file description
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/uio.h>
#include <unistd.h>

#include "CLinux.h"

int clinux_open(const char *path, int flags, int direct, uint32_t permissions) {
  return open(path, flags | O_CLOEXEC | O_NOCTTY | (direct ? O_DIRECT : 0), (mode_t)permissions);
}

int clinux_set_direct(int descriptor) {
  int flags = fcntl(descriptor, F_GETFL);
  return flags == -1 ? -1 : fcntl(descriptor, F_SETFL, flags | O_DIRECT);
}

int64_t clinux_next_data(int descriptor, int64_t offset) {
  return lseek(descriptor, offset, SEEK_DATA);
}

int64_t clinux_next_hole(int descriptor, int64_t offset) {
  return lseek(descriptor, offset, SEEK_HOLE);
}

int clinux_punch_hole(int descriptor, int64_t offset, int64_t byte_count) {
  return fallocate(
    descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, byte_count);
}

int clinux_zero_range(int descriptor, int64_t offset, int64_t byte_count) {
  return fallocate(
    descriptor, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, byte_count);
}

int clinux_allocate(int descriptor, int64_t offset, int64_t byte_count) {
  return fallocate(descriptor, 0, offset, byte_count);
}

long clinux_write_without_waiting(int descriptor, const void *bytes, unsigned long byte_count) {
  struct iovec vector = {.iov_base = (void *)bytes, .iov_len = byte_count};
  return pwritev2(descriptor, &vector, 1, -1, RWF_NOWAIT);
}

int clinux_duplicate(int descriptor) { return fcntl(descriptor, F_DUPFD_CLOEXEC, 0); }

static struct flock lock_of(int mode, int64_t offset, int64_t byte_count) {
  const short types[] = {F_RDLCK, F_WRLCK, F_UNLCK};
  // The pid must be 0 for locks of an open file description.
  struct flock lock = {
    .l_type = types[mode], .l_whence = SEEK_SET, .l_start = offset, .l_len = byte_count};
  return lock;
}

int clinux_lock(int descriptor, int mode, int64_t offset, int64_t byte_count) {
  struct flock lock = lock_of(mode, offset, byte_count);
  return fcntl(descriptor, F_OFD_SETLK, &lock);
}

int clinux_lock_holder(
  int descriptor, int mode, int64_t offset, int64_t byte_count, int *found, int32_t *process) {
  struct flock lock = lock_of(mode, offset, byte_count);
  int result = fcntl(descriptor, F_OFD_GETLK, &lock);
  *found = lock.l_type == F_RDLCK ? 0 : lock.l_type == F_WRLCK ? 1 : 2;
  *process = lock.l_pid;
  return result;
}
