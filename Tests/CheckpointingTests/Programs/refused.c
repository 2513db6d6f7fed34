// Descriptors that can't be saved, one for each case: `check` has to name them.
#include "cases.h"
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_alg.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/vm_sockets.h>
#include <mqueue.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <termios.h>

static int pair[2];

static void done(void) {}
static void packet(void) { skip_unless(socket(AF_PACKET, SOCK_RAW, 0) >= 0); }
static void netlink(void) { skip_unless(socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC) >= 0); }
static void raw(void) { skip_unless(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0); }
static void vsock(void) { skip_unless(socket(AF_VSOCK, SOCK_STREAM, 0) >= 0); }
static void crypto(void) { skip_unless(socket(AF_ALG, SOCK_SEQPACKET, 0) >= 0); }
static void fanotify(void) { skip_unless(fanotify_init(FAN_CLASS_NOTIF, O_RDONLY) >= 0); }
static void userfault(void) { skip_unless(syscall(SYS_userfaultfd, O_NONBLOCK) >= 0); }
static void ring(void) {
  char parameters[120] = {0};
  skip_unless(syscall(SYS_io_uring_setup, 4, parameters) >= 0);
}
static void perf(void) {
  struct perf_event_attr what = {.type = PERF_TYPE_SOFTWARE, .size = sizeof what, .config = PERF_COUNT_SW_TASK_CLOCK};
  skip_unless(syscall(SYS_perf_event_open, &what, 0, -1, -1, 0) >= 0);
}
static void bpf(void) {
  union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  skip_unless(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map) >= 0);
}
static void landlock(void) {
  uint64_t handled = 1;
  skip_unless(syscall(444, &handled, sizeof handled, 0) >= 0);
}
static void queue(void) {
  char name[32];
  snprintf(name, sizeof name, "/ftool-%d", getpid());
  mqd_t made = mq_open(name, O_CREAT | O_RDWR, 0600, NULL);
  skip_unless(made != (mqd_t)-1);
  mq_unlink(name);
}
static void namespace(void) { need(open("/proc/self/ns/net", O_RDONLY) >= 0); }
static void device(void) { skip_unless(open("/dev/kmsg", O_RDONLY) >= 0); }
static void dnotify(void) { need(!fcntl(open(folder, O_RDONLY), F_NOTIFY, DN_CREATE)); }
static void lease(void) { need(!fcntl(open(in_folder("leased"), O_CREAT | O_RDONLY, 0600), F_SETLEASE, F_RDLCK)); }
static void outofband(void) {
  need(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  skip_unless(send(pair[0], "ab", 2, MSG_OOB) == 2);
}
static void rights(void) {
  need(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr head; } control = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
  memcpy(CMSG_DATA(&control.head), pair, sizeof(int));
  char byte = 'x';
  struct iovec vector = {&byte, 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  need(sendmsg(pair[1], &message, 0) == 1);
}
static void pending(void) {
  int listening = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  need(!bind(listening, (void *)&address, 2) && !listen(listening, 3));
  socklen_t length = sizeof address;
  need(!getsockname(listening, (void *)&address, &length));
  need(!connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&address, length));
}
// Connected once: what came before its end was not read, and the error of a connection was not asked for.
static int connected(int listening, int flags) {
  struct sockaddr_in here;
  socklen_t length = sizeof here;
  need(!getsockname(listening, (void *)&here, &length));
  int client = socket(AF_INET, SOCK_STREAM | flags, 0);
  need(!connect(client, (void *)&here, sizeof here) || flags);
  return client;
}
static void ended(void) {
  int listening = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  need(!bind(listening, (void *)&here, sizeof here) && !listen(listening, 1));
  int client = connected(listening, 0), server = accept(listening, NULL, NULL);
  need(!shutdown(client, SHUT_WR) && write(server, "answer", 6) == 6 && !close(server));
  struct pollfd end = {client, POLLIN, 0};
  while (!(end.revents & POLLHUP)) need(poll(&end, 1, 10000) == 1);
}
static void unasked(void) {
  int nobody = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  need(!bind(nobody, (void *)&here, sizeof here));
  struct pollfd end = {connected(nobody, SOCK_NONBLOCK), POLLOUT, 0};
  while (!(end.revents & POLLERR)) need(poll(&end, 1, 10000) == 1);
}
static void corked(void) {
  int udp = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  need(sendto(udp, "half", 4, MSG_MORE, (void *)&to, sizeof to) == 4);
}
static void program(void) {
  struct bpf_insn pass[] = {{.code = 0xb7, .dst_reg = 0, .imm = -1}, {.code = 0x95}};
  union bpf_attr load = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = 2, .insns = (uintptr_t)pass, .license = (uintptr_t) "GPL"};
  int program = syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
  skip_unless(program >= 0);
  need(!setsockopt(socket(AF_INET, SOCK_DGRAM, 0), SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program));
  close(program);
}
static void held(void) {
  int master, slave;
  need(!openpty(&master, &slave, NULL, NULL, NULL) && !tcflow(slave, TCOOFF));
}
static void discipline(void) {
  int master, slave, slip = 1;
  need(!openpty(&master, &slave, NULL, NULL, NULL));
  skip_unless(!ioctl(slave, TIOCSETD, &slip));
}
static void watched(void) {
  int watches = inotify_init1(IN_NONBLOCK);
  need(inotify_add_watch(watches, folder, IN_CREATE) > 0);
  close(open(in_folder("new"), O_CREAT | O_WRONLY, 0600));
  // What waits for it is no obstacle of its own.
  struct epoll_event event = {.events = EPOLLIN};
  need(!epoll_ctl(epoll_create1(0), EPOLL_CTL_ADD, watches, &event));
}
static void sibling(void) {
  // Both ends of a pipe, which our parent has, too.
  need(!pipe(pair));
  pid_t child = fork();
  if (child == 0) return;
  char number[16];
  int length = sprintf(number, "child %d\n", child);
  need(write(1, number, length) == length);
  wait_for_go();
  kill(child, SIGKILL);
  exit(0);
}
static void removed(void) {
  need(!mkdir(in_folder("removed"), 0700) && open(in_folder("removed"), O_RDONLY) >= 0 && !rmdir(in_folder("removed")));
}
static void replaced(void) {
  int file = open(in_folder("file"), O_CREAT | O_RDWR, 0600);
  need(file >= 0 && !link(in_folder("file"), in_folder("other name")) && !unlink(in_folder("file")));
  close(open(in_folder("file"), O_CREAT | O_RDWR, 0600));
}
static void foreign(void) {
  char path[40];
  snprintf(path, sizeof path, "/proc/%d/stat", getppid());
  need(open(path, O_RDONLY) >= 0);
}

static void relative(void) {
  // It works elsewhere by now, where the same name leads to another.
  for (int i = 0; i < 2; i++) {
    need(!chdir(folder) && !(i && (mkdir("other", 0700) || chdir("other"))));
    struct sockaddr_un address = {AF_UNIX, "name"};
    int file = socket(AF_UNIX, SOCK_STREAM, 0);
    need(!bind(file, (void *)&address, sizeof address) && !listen(file, 1));
  }
}

static const struct test_case cases[] = {
  {"packet", packet, done}, {"netlink", netlink, done}, {"raw", raw, done}, {"vsock", vsock, done},
  {"crypto", crypto, done}, {"fanotify", fanotify, done}, {"userfault", userfault, done}, {"ring", ring, done},
  {"perf", perf, done}, {"bpf", bpf, done}, {"landlock", landlock, done}, {"queue", queue, done},
  {"namespace", namespace, done}, {"device", device, done}, {"dnotify", dnotify, done}, {"lease", lease, done},
  {"outofband", outofband, done}, {"rights", rights, done}, {"pending", pending, done}, {"corked", corked, done}, {"ended", ended, done}, {"unasked", unasked, done},
  {"program", program, done}, {"held", held, done}, {"discipline", discipline, done}, {"watched", watched, done},
  {"sibling", sibling, done}, {"removed", removed, done}, {"replaced", replaced, done}, {"foreign", foreign, done},
  {"relative", relative, done},
  {0},
};

int main(int argc, char **argv) { return run_case(argc, argv, cases); }
