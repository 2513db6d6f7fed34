#include <linux/fs.h>
#include <linux/loop.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "CLinux.h"

int clinux_block_byte_count(int descriptor, uint64_t *byte_count) {
  return ioctl(descriptor, BLKGETSIZE64, byte_count);
}

int clinux_block_sector_byte_count(int descriptor, int *byte_count) {
  return ioctl(descriptor, BLKSSZGET, byte_count);
}

int clinux_block_zero(int descriptor, uint64_t offset, uint64_t byte_count) {
  uint64_t range[2] = {offset, byte_count};
  return ioctl(descriptor, BLKZEROOUT, range);
}

int clinux_loop_backing(int descriptor, uint64_t *device, uint64_t *inode) {
  struct loop_info64 info = {0};
  int result = ioctl(descriptor, LOOP_GET_STATUS64, &info);
  *device = info.lo_device;
  *inode = info.lo_inode;
  return result;
}

uint64_t clinux_device(uint32_t major, uint32_t minor) { return gnu_dev_makedev(major, minor); }
uint32_t clinux_major(uint64_t device) { return gnu_dev_major(device); }
uint32_t clinux_minor(uint64_t device) { return gnu_dev_minor(device); }
