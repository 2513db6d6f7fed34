// Files, directories and pipes: what is easily lost of a description.
#include "cases.h"
#include <dirent.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static int files[8];
static int ends[2];

// Descriptors that only stand for a place.

static void prepare_places(void) {
  const char *paths[] = {"/dev/null", in_folder("link"), in_folder("fifo"), in_folder("socket"), in_folder(""), "/dev/tty", "/proc/self/status"};
  need(!symlink("nowhere", paths[1]) && !mkfifo(paths[2], 0600) && !mknod(paths[3], S_IFSOCK | 0600, 0));
  for (int i = 0; i < 7; i++) need((files[i] = open(paths[i], O_PATH | O_NOFOLLOW)) >= 0);
}

static void check_places(void) {
  mode_t kinds[] = {S_IFCHR, S_IFLNK, S_IFIFO, S_IFSOCK, S_IFDIR, S_IFCHR, S_IFREG};
  struct stat details;
  for (int i = 0; i < 7; i++) {
    need(!fstat(files[i], &details) && (details.st_mode & S_IFMT) == kinds[i]);
    need(fcntl(files[i], F_GETFL) & O_PATH);
  }
  char target[16];
  need(readlinkat(files[1], "", target, sizeof target) == 7 && !memcmp(target, "nowhere", 7));
  need(faccessat(files[4], "fifo", F_OK, 0) == 0);
  dprintf(files[0], "not written");
}

// /proc: of the machine, of the process itself and of its child, each read to somewhere in the middle.

static pid_t child;
static char first[8][64], last[64];

// All of the list of memory but the end, which is the same as long as nothing else has been put into it.
static void read_list(void) {
  char piece[512];
  off_t length = 0;
  ssize_t got;
  int whole = open("/proc/self/maps", O_RDONLY);
  while ((got = read(whole, piece, sizeof piece)) > 0) length += got;
  close(whole);
  need((files[7] = open("/proc/self/maps", O_RDONLY)) >= 0);
  for (off_t at = 0; at < length - 40; at += got) {
    off_t left = length - 40 - at;
    need((got = read(files[7], piece, left < 512 ? (size_t)left : sizeof piece)) > 0);
  }
  whole = open("/proc/self/maps", O_RDONLY);
  for (off_t at = 0; at < length - 40; at += got) {
    off_t left = length - 40 - at;
    need((got = read(whole, piece, left < 512 ? (size_t)left : sizeof piece)) > 0);
  }
  need(read(whole, last, sizeof last) == 40 && !close(whole));
}

static void prepare_proc(void) {
  if (!(child = fork())) for (;;) pause();
  char of_child[40], of_thread[40];
  snprintf(of_child, sizeof of_child, "/proc/%d/stat", child);
  snprintf(of_thread, sizeof of_thread, "/proc/self/task/%d/comm", getpid());
  const char *paths[] = {"/proc/self/status", of_child, "/proc/meminfo", of_thread, "/proc/self/mem", "/proc/self/fd", "/proc/sys/kernel/ostype"};
  for (int i = 0; i < 7; i++) need((files[i] = open(paths[i], i == 3 ? O_RDWR : O_RDONLY)) >= 0);
  need(read(files[0], first[0], 6) == 6 && read(files[6], first[6], 3) == 3);
  read_list();
}

static void check_proc(void) {
  char rest[64];
  need(read(files[0], rest, 8) == 8 && !memcmp(rest, "filecase", 8));
  need(read(files[1], rest, 30) > 10 && atoi(rest) == child);
  need(read(files[2], rest, 8) == 8 && !memcmp(rest, "MemTotal", 8));
  need(write(files[3], "renamed", 7) == 7);
  need(pread(files[4], rest, 64, (off_t)(uintptr_t)first) == 64 && !memcmp(rest, first, 64));
  snprintf(rest, sizeof rest, "%d", files[5]);
  need(faccessat(files[5], rest, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
  need(read(files[6], rest, 3) == 3 && !memcmp(rest, "ux\n", 3));
  need(read(files[7], rest, sizeof rest) == 40 && !memcmp(rest, last, 40));
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

// A directory that has been read to its middle, and flags of open(2).

static DIR *half;
static char names[40][16];

static void prepare_flags(void) {
  mkdir(in_folder("many"), 0700);
  char name[40];
  for (int i = 0; i < 40; i++) {
    snprintf(name, sizeof name, "many/%d", i);
    close(open(in_folder(name), O_CREAT | O_WRONLY, 0600));
  }
  files[0] = open(in_folder("many"), O_RDONLY | O_DIRECTORY);
  // Few at a time, so that the kernel's position counts.
  char entries[128];
  for (int i = 0; i < 3; i++) need(syscall(SYS_getdents64, files[0], entries, sizeof entries) > 0);
  files[1] = open(in_folder("file"), O_CREAT | O_RDWR | O_SYNC | O_APPEND | O_NONBLOCK | O_NOATIME, 0600);
  need(files[1] >= 0 && lseek(files[1], 12345, SEEK_SET) == 12345);
  files[2] = open(in_folder("file"), O_RDWR | O_DSYNC);
  need(write(files[1], "abc", 3) == 3 && lseek(files[2], 1, SEEK_SET) == 1);
  for (int at = 0, i = 0; i < 40; i++) (void)at, names[i][0] = 0;
  int again = open(in_folder("many"), O_RDONLY | O_DIRECTORY);
  lseek(again, lseek(files[0], 0, SEEK_CUR), SEEK_SET);
  half = fdopendir(again);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(half)); count++) strcpy(names[count], entry->d_name);
  closedir(half);
}

static void check_flags(void) {
  half = fdopendir(files[0]);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(half)); count++) need(!strcmp(names[count], entry->d_name));
  need(names[count][0] == 0 && count > 10);
  need((fcntl(files[1], F_GETFL) & ~0100000) == (O_RDWR | O_SYNC | O_APPEND | O_NONBLOCK | O_NOATIME));
  need((fcntl(files[2], F_GETFL) & ~0100000) == (O_RDWR | O_DSYNC));
  need(lseek(files[1], 0, SEEK_CUR) == 3 && write(files[1], "d", 1) == 1 && lseek(files[2], 0, SEEK_CUR) == 1);
}

// FIFOs: one to which nobody has written yet, one that was written to, one with both ends here.

static void prepare_fifos(void) {
  const char *names[] = {"quiet", "ended", "both", "deaf"};
  for (int i = 0; i < 4; i++) {
    need(!mkfifo(in_folder(names[i]), 0600));
    need((files[i] = open(in_folder(names[i]), O_RDONLY | O_NONBLOCK)) >= 0);
  }
  int writer = open(in_folder("ended"), O_WRONLY);
  need(write(writer, "rest", 4) == 4 && !close(writer));
  files[4] = open(in_folder("both"), O_WRONLY);
  need(write(files[4], "here", 4) == 4);
  files[5] = open(in_folder("deaf"), O_WRONLY | O_NONBLOCK);
  close(files[3]);
}

static void check_fifos(void) {
  char bytes[8];
  struct pollfd events[] = {{files[0], POLLIN, 0}, {files[1], POLLIN, 0}, {files[2], POLLIN, 0}, {files[5], 0, 0}};
  // A process that is just being made by another test holds an end for a moment, until it has become another program.
  for (int patience = 500; (poll(events, 4, 0) != 3 || !(events[1].revents & POLLHUP)) && patience; patience--) usleep(10000);
  need(poll(events, 4, 0) == 3 && events[0].revents == 0);
  need(events[1].revents == (POLLIN | POLLHUP) && events[2].revents == POLLIN && events[3].revents == POLLERR);
  need(read(files[1], bytes, 8) == 4 && read(files[1], bytes, 8) == 0 && read(files[2], bytes, 8) == 4);
  need(read(files[2], bytes, 8) == -1 && errno == EAGAIN && read(files[0], bytes, 8) == 0);
  int writer = open(in_folder("quiet"), O_WRONLY | O_NONBLOCK);
  need(writer >= 0 && write(writer, "new", 3) == 3 && read(files[0], bytes, 8) == 3);
}

// Pipes with packets whose writer is gone, and with a megabyte in it.

static int packets[2];

static void prepare_pipes(void) {
  need(!pipe2(packets, O_DIRECT) && !pipe(ends));
  need(write(packets[1], "one", 3) == 3 && write(packets[1], "three", 5) == 5 && write(packets[1], "7", 1) == 1);
  close(packets[1]);
  need(fcntl(packets[0], F_SETFL, 0) == 0);
  need(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) == 1 << 20);
  char *large = malloc(1 << 20);
  for (int i = 0; i < 1 << 20; i++) large[i] = i * 7 >> 3;
  need(write(ends[1], large, 1 << 20) == 1 << 20);
  free(large);
}

static void check_pipes(void) {
  char bytes[16];
  need(read(packets[0], bytes, 16) == 3 && read(packets[0], bytes, 2) == 2 && read(packets[0], bytes, 16) == 1 && bytes[0] == '7');
  need(read(packets[0], bytes, 16) == 0 && fcntl(ends[0], F_GETPIPE_SZ) == 1 << 20);
  char *large = malloc(1 << 20);
  for (int done = 0, got; done < 1 << 20; done += got) need((got = read(ends[0], large + done, (1 << 20) - done)) > 0);
  for (int i = 0; i < 1 << 20; i++) need(large[i] == (char)(i * 7 >> 3));
}

// What was written with O_DIRECT and without it, by turns; the flag of now says nothing about it. The kernel puts what
// is written to what no packet before it left of a page.

static int mixed[2], plain[2], lone[2], small[2], late[2];

static void put(int *pipe, const char *text, int flags) {
  need(!fcntl(pipe[1], F_SETFL, flags) && write(pipe[1], text, strlen(text)) == (long)strlen(text));
}

static void put_stream(int *pipe, char letter, int count) {
  char bytes[4097] = "";
  put(pipe, memset(bytes, letter, count), 0);
}

static void prepare_mixed(void) {
  need(!pipe(mixed) && !pipe(plain) && !pipe(lone) && !pipe(small) && !pipe(late));
  put(mixed, "packet", O_DIRECT);
  put(mixed, "p", O_DIRECT);
  put_stream(mixed, 'a', 4096);
  put(mixed, "q", O_DIRECT);
  put_stream(mixed, 'b', 4090);
  put(mixed, "a packet at the end", O_DIRECT);
  put(plain, "no packet", 0);
  put(plain, "at all", 0);
  need(!fcntl(plain[1], F_SETFL, O_DIRECT));
  put(lone, "the only one", O_DIRECT);
  need(!fcntl(lone[1], F_SETFL, 0));
  for (int i = 0; i < 3; i++) put(small, "x", O_DIRECT);
  put(small, "x", 0);
  put_stream(late, 'c', 4096);
  put(late, "d", O_DIRECT);
}

// A read of so many bytes gives `count` times the letter, and this.
static void take(int *pipe, int limit, char letter, int count, const char *rest) {
  char bytes[8192], wanted[8192];
  memset(wanted, letter, count);
  strcpy(wanted + count, rest);
  need(!fcntl(pipe[0], F_SETFL, O_NONBLOCK));
  int got = read(pipe[0], bytes, limit);
  if (got != count + (int)strlen(rest) || memcmp(bytes, wanted, got)) {
    dprintf(2, "got %d bytes where '%s' was wanted\n", got, rest);
    exit(1);
  }
}

static void check_mixed(void) {
  take(mixed, 8192, 0, 0, "packet");
  take(mixed, 8192, 0, 0, "p");
  take(mixed, 8192, 'a', 4096, "q");
  // The packet's rest is lost to who leaves it no room, as ever.
  take(mixed, 4098, 'b', 4090, "a packet");
  put(mixed, "!", 0);
  take(mixed, 8192, 0, 0, "!");
  need(fcntl(plain[1], F_GETFL) == (O_WRONLY | O_DIRECT));
  take(plain, 4, 0, 0, "no p");
  take(plain, 8192, 0, 0, "acketat all");
  put(lone, "next", 0);
  take(lone, 3, 0, 0, "the");
  take(lone, 8192, 0, 0, "next");
  for (int i = 0; i < 3; i++) take(small, 8192, 0, 0, "x");
  put(small, "y", 0);
  take(small, 8192, 0, 0, "xy");
  put(late, "e", 0);
  take(late, 8192, 'c', 4096, "d");
  take(late, 8192, 0, 0, "e");
}

// What waits in a pipe and in a FIFO that nobody reads any more.

static int waiting[2];

static void prepare_unread(void) {
  signal(SIGPIPE, SIG_IGN);
  need(!mkfifo(in_folder("unread"), 0600) && !pipe(ends));
  int reader = open(in_folder("unread"), O_RDONLY | O_NONBLOCK);
  need((waiting[0] = open(in_folder("unread"), O_WRONLY)) >= 0 && write(waiting[0], "precious", 8) == 8);
  waiting[1] = ends[1];
  need(write(ends[1], "data", 4) == 4 && !close(reader) && !close(ends[0]));
}

static void check_unread(void) {
  char path[40], bytes[16];
  need(write(waiting[0], "x", 1) == -1 && errno == EPIPE);
  int reader = open(in_folder("unread"), O_RDONLY | O_NONBLOCK);
  need(read(reader, bytes, 16) == 8 && !memcmp(bytes, "precious", 8));
  snprintf(path, sizeof path, "/proc/self/fd/%d", waiting[1]);
  reader = open(path, O_RDONLY | O_NONBLOCK);
  need(read(reader, bytes, 16) == 4 && !memcmp(bytes, "data", 4));
}

// Mapped files whose names look like what /proc makes of others, or like nothing that it can tell.

static const char *const odd_names[] = {"left (deleted)", "twice (deleted) (deleted)", "new\nline", "back\\012slash", " space "};
enum { ODD_NAMES = sizeof odd_names / sizeof *odd_names };
static char *shared[ODD_NAMES], *private[ODD_NAMES];

static void prepare_odd(void) {
  for (int i = 0; i < ODD_NAMES; i++) {
    int file = open(in_folder(odd_names[i]), O_CREAT | O_RDWR, 0600);
    char page[4096];
    memset(page, 'a' + i, sizeof page);
    need(file >= 0 && write(file, page, sizeof page) == sizeof page);
    shared[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    private[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    need(shared[i] != MAP_FAILED && private[i] != MAP_FAILED && !close(file));
    private[i][7] = '!';
  }
}

static void check_odd(void) {
  for (int i = 0; i < ODD_NAMES; i++) {
    char byte;
    shared[i][99] = '?';
    int file = open(in_folder(odd_names[i]), O_RDONLY);
    need(file >= 0 && pread(file, &byte, 1, 99) == 1 && byte == '?');
    need(private[i][7] == '!' && private[i][8] == 'a' + i);
  }
}

static const struct test_case cases[] = {
  {"places", prepare_places, check_places},
  {"proc", prepare_proc, check_proc},
  {"flags", prepare_flags, check_flags},
  {"fifos", prepare_fifos, check_fifos},
  {"pipes", prepare_pipes, check_pipes},
  {"mixed", prepare_mixed, check_mixed},
  {"unread", prepare_unread, check_unread},
  {"odd", prepare_odd, check_odd},
  {0},
};

int main(int argc, char **argv) { return run_case(argc, argv, cases); }
