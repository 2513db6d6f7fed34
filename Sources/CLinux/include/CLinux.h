#pragma once
// What Swift cannot say of Linux: ioctl and fcntl are variadic, their request numbers are macros with
// casts, and a signal handler may only touch lock-free atomics. Nothing here decides anything: each
// function makes one call and returns what it returned (-1 with errno, unless it says otherwise).

#include <stdint.h>

// Block devices (ioctl numbers are made by macros that Swift does not import).

/// BLKGETSIZE64: the bytes of a block device.
int clinux_block_byte_count(int descriptor, uint64_t *byte_count);
/// BLKSSZGET: the smallest transfer a block device takes.
int clinux_block_sector_byte_count(int descriptor, int *byte_count);
/// BLKZEROOUT: the range reads as zeros afterwards; the kernel writes them if the device cannot.
int clinux_block_zero(int descriptor, uint64_t offset, uint64_t byte_count);
/// LOOP_GET_STATUS64: the device and inode numbers behind an open loop device.
int clinux_loop_backing(int descriptor, uint64_t *device, uint64_t *inode);
/// A device number from its halves, and back (macros in glibc).
uint64_t clinux_device(uint32_t major, uint32_t minor);
uint32_t clinux_major(uint64_t device);
uint32_t clinux_minor(uint64_t device);

// Files (much of this sits behind _GNU_SOURCE, which Swift's Glibc leaves out; open and fcntl are variadic).

/// fallocate(PUNCH_HOLE | KEEP_SIZE): frees the range, which then reads as zeros.
int clinux_punch_hole(int descriptor, int64_t offset, int64_t byte_count);
/// fallocate(ZERO_RANGE | KEEP_SIZE): the range reads as zeros and stays allocated.
int clinux_zero_range(int descriptor, int64_t offset, int64_t byte_count);
/// fallocate(0): the range has room, so that writing there cannot fail for lack of it.
int clinux_allocate(int descriptor, int64_t offset, int64_t byte_count);
/// What O_DIRECT wants of an open file: alignment of memory, and of offsets. Both 0: it cannot say.
int clinux_direct_alignment(int descriptor, uint32_t *memory, uint32_t *offset);
/// open, with O_CLOEXEC, O_NOCTTY and if asked O_DIRECT added to the flags.
int clinux_open(const char *path, int flags, int direct, uint32_t permissions);
/// fcntl(F_SETFL): adds O_DIRECT to an open file.
int clinux_set_direct(int descriptor);
/// lseek(SEEK_DATA) and lseek(SEEK_HOLE).
int64_t clinux_next_data(int descriptor, int64_t offset);
int64_t clinux_next_hole(int descriptor, int64_t offset);

/// Takes those of the descriptors 0, 1 and 2 that are closed, so that no file that is opened later gets
/// their numbers. To use them still fails (EBADF).
void clinux_reserve_standard_descriptors(void);

/// As write(2), but with EAGAIN in place of waiting; EOPNOTSUPP where the file cannot say so.
long clinux_write_without_waiting(int descriptor, const void *bytes, unsigned long byte_count);

/// fcntl(F_DUPFD_CLOEXEC).
int clinux_duplicate(int descriptor);

/// fcntl(F_OFD_SETLK): mode 0 shared, 1 exclusive, 2 none; byte count 0 means to the end of all time.
int clinux_lock(int descriptor, int mode, int64_t offset, int64_t byte_count);
/// fcntl(F_OFD_GETLK): would this lock be refused? `found` is 0 (shared), 1 (exclusive) or 2 (nobody
/// holds one); the process is -1 when an open file description, not a process, is the holder.
int clinux_lock_holder(
  int descriptor, int mode, int64_t offset, int64_t byte_count, int *found, int32_t *process);

// Threads (behind _GNU_SOURCE as well).

/// How many processors this process may run on; -1 if there are more than 1024.
int clinux_core_count(void);
/// Names the calling thread; more than 15 bytes are refused.
int clinux_name_thread(const char *name);

// Signals: what a handler writes, Swift reads. Handlers may run between any two instructions of any
// thread, so they touch nothing but lock-free atomics and calls that signal-safety(7) allows.

/// SIGHUP, SIGINT and SIGTERM are noted once and then mean what they always mean; SIGUSR1 is noted; SIGPIPE and
/// SIGWINCH are ignored. Returns a descriptor that becomes readable at the first of the three.
int clinux_stop_install(void);
/// 1 for a signal that this process ignores, else 0.
int clinux_ignores(int signal);
/// That descriptor, or -1.
int clinux_stop_descriptor(void);
/// The signal that asked to stop, or 0.
int clinux_stop_signal(void);
/// As if that signal had arrived; 0 forgets a stop (for tests).
void clinux_stop_set(int signal);
/// 1 once for each time that SIGUSR1 came since the last call.
int clinux_stop_take_status_request(void);
/// Makes `signal` mean what it means to a process that never asked, and sends it to this one.
void clinux_die_of(int signal);

// Processes (ptrace and syscall are variadic; what runs between clone and exec must not be Swift).

/// Any system call by its number: what it returned, or -errno.
long clinux_call(long number, long a, long b, long c, long d, long e, long f);
/// The same where the third argument is an address that the kernel reads or writes.
long clinux_call_pointer(long number, long a, long b, const void *c, long d);
/// clone3 of a process that does nothing but wait, with these pids in its nested namespaces (innermost
/// first; none: any). It gets `death_signal` when this thread ends; 0 for none. Returns its pid, or -errno. On
/// x86-64 only; elsewhere -ENOSYS.
int clinux_spawn_stub(
  uint64_t flags, const int32_t *pids, uint64_t pid_count, int death_signal);
/// Clones a process that reads one byte from `reading`, the end of a pipe, and ends; where it finds the end of
/// the input instead, since all holders of `writing` have ended, it kills these processes first. It sends no
/// signal when it ends. Returns its pid, or -errno.
int clinux_spawn_guard(int reading, int writing, const int32_t *pids, uint64_t pid_count);
/// Clones a process that waits until it is killed, which happens at the latest when this thread ends. It sends no
/// signal when it ends. Returns its pid, or -errno.
int clinux_spawn_companion(void);

// A child in which /bin/sh runs a command with this descriptor as its standard input. Returns its number, or -errno.
int clinux_spawn_shell(const char *command, int input);
/// Where the code of a pid namespace's first process begins, which reaps: void (long root, long report). It
/// needs its own page and a stack, and nothing else. It ends when it has no child any more, with the status
/// of the process `root`, whose stops and end it writes to the descriptor `report` (-1: nowhere), four bytes
/// each as wait(2) gives them. All signals must be blocked; those from outside are passed on to `root`.
uintptr_t clinux_reaper_address(void);
