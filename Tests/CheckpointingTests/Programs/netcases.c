// Sockets of the internet protocols: options, memberships of groups, and packet filters.
#include "cases.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

static int four, six, tcp, udp, filtered, unix_pair[2];

static void set(int file, int level, int name, int value) {
  need(!setsockopt(file, level, name, &value, sizeof value));
}

static int is(int file, int level, int name, int value) {
  int found = -1;
  socklen_t length = sizeof found;
  if (getsockopt(file, level, name, &found, &length)) return 0;
  if (found != value) dprintf(2, "option %d of level %d is %d\n", name, level, found);
  return found == value;
}

// Any sender, some senders, all but some; by both protocols, on the loopback.

static struct sockaddr_in group4(const char *text) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

static void enter(int file, const char *text) {
  struct group_req request = {.gr_interface = if_nametoindex("lo")};
  struct sockaddr_in6 address6 = {.sin6_family = AF_INET6};
  struct sockaddr_in address4 = group4(text);
  if (strchr(text, ':')) {
    inet_pton(AF_INET6, text, &address6.sin6_addr);
    memcpy(&request.gr_group, &address6, sizeof address6);
    need(!setsockopt(file, IPPROTO_IPV6, MCAST_JOIN_GROUP, &request, sizeof request));
  } else {
    memcpy(&request.gr_group, &address4, sizeof address4);
    need(!setsockopt(file, IPPROTO_IP, MCAST_JOIN_GROUP, &request, sizeof request));
  }
}

static void source(int file, const char *text, const char *from, int what) {
  struct group_source_req request = {.gsr_interface = if_nametoindex("lo")};
  struct sockaddr_in address = group4(text), sender = group4(from);
  memcpy(&request.gsr_group, &address, sizeof address);
  memcpy(&request.gsr_source, &sender, sizeof sender);
  need(!setsockopt(file, IPPROTO_IP, what, &request, sizeof request));
}

// 0 for no member, 1 for some senders, 2 for all but some; and how many more times 10.
static int membership(int file, const char *text) {
  struct { struct group_filter filter; struct sockaddr_storage more[4]; } request;
  memset(&request, 0, sizeof request);
  request.filter.gf_interface = if_nametoindex("lo");
  request.filter.gf_numsrc = 5;
  struct sockaddr_in address4 = group4(text);
  struct sockaddr_in6 address6 = {.sin6_family = AF_INET6};
  int is6 = strchr(text, ':') != NULL;
  if (is6) inet_pton(AF_INET6, text, &address6.sin6_addr), memcpy(&request.filter.gf_group, &address6, sizeof address6);
  else memcpy(&request.filter.gf_group, &address4, sizeof address4);
  socklen_t length = sizeof request;
  if (getsockopt(file, is6 ? IPPROTO_IPV6 : IPPROTO_IP, MCAST_MSFILTER, &request, &length)) return 0;
  return (request.filter.gf_fmode == MCAST_INCLUDE ? 1 : 2) + 10 * request.filter.gf_numsrc;
}

static void prepare_groups(void) {
  four = socket(AF_INET, SOCK_DGRAM, 0), six = socket(AF_INET6, SOCK_DGRAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
  skip_unless(six >= 0);
  struct sockaddr_in any = {.sin_family = AF_INET};
  need(!bind(four, (void *)&any, sizeof any));
  enter(four, "239.11.22.33");
  enter(four, "239.11.22.34");
  enter(six, "ff01::1:22");
  source(four, "239.11.22.34", "10.1.2.3", MCAST_BLOCK_SOURCE);
  source(four, "239.11.22.35", "10.1.2.3", MCAST_JOIN_SOURCE_GROUP);
  source(four, "239.11.22.35", "10.1.2.4", MCAST_JOIN_SOURCE_GROUP);
  enter(udp, "239.11.22.36");
}

static void check_groups(void) {
  need(membership(four, "239.11.22.33") == 2 && membership(four, "239.11.22.34") == 12);
  need(membership(four, "239.11.22.35") == 21 && membership(four, "239.11.22.36") == 0);
  need(membership(udp, "239.11.22.36") == 2 && membership(udp, "239.11.22.33") == 0);
  need(membership(six, "ff01::1:22") == 2);
  struct sockaddr_in to = group4("239.11.22.33"), here;
  socklen_t length = sizeof here;
  need(!getsockname(four, (void *)&here, &length));
  to.sin_port = here.sin_port;
  struct ip_mreqn way = {.imr_ifindex = if_nametoindex("lo")};
  int sender = socket(AF_INET, SOCK_DGRAM, 0);
  need(!setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, &way, sizeof way));
  need(sendto(sender, "hello", 5, 0, (void *)&to, sizeof to) == 5);
  struct pollfd arrived = {four, POLLIN, 0};
  need(poll(&arrived, 1, 10000) == 1);
}

// Options of each level that nothing else asks for.

struct option { int level, name, value; };
static const struct option of_four[] = {
  {SOL_SOCKET, 75, 1}, {SOL_SOCKET, SO_TIMESTAMPNS, 1}, {IPPROTO_IP, IP_RECVOPTS, 1}, {IPPROTO_IP, IP_RETOPTS, 1},
  {IPPROTO_IP, 23 /* IP_CHECKSUM */, 1}, {IPPROTO_IP, 25 /* IP_RECVFRAGSIZE */, 1}, {IPPROTO_IP, 26, 1},
  {IPPROTO_IP, IP_MULTICAST_TTL, 7}, {IPPROTO_IP, IP_MULTICAST_ALL, 0}, {IPPROTO_IP, IP_TOS, 0x10},
  {SOL_SOCKET, SO_NO_CHECK, 1}, {SOL_SOCKET, SO_WIFI_STATUS, 1}, {SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1},
  {SOL_SOCKET, SO_MAX_PACING_RATE, 123456}, {0}};
static const struct option of_six[] = {
  {IPPROTO_IPV6, 29 /* MULTICAST_ALL */, 0}, {IPPROTO_IPV6, 33 /* FLOWINFO_SEND */, 1}, {IPPROTO_IPV6, IPV6_RECVHOPOPTS, 1},
  {IPPROTO_IPV6, IPV6_RECVRTHDR, 1}, {IPPROTO_IPV6, IPV6_RECVDSTOPTS, 1}, {IPPROTO_IPV6, IPV6_RECVPATHMTU, 1},
  {IPPROTO_IPV6, 70 /* AUTOFLOWLABEL */, 1}, {IPPROTO_IPV6, 72 /* ADDR_PREFERENCES */, 2}, {IPPROTO_IPV6, 73 /* MINHOPCOUNT */, 3},
  {IPPROTO_IPV6, 74 /* RECVORIGDSTADDR */, 1}, {IPPROTO_IPV6, 77 /* RECVFRAGSIZE */, 1}, {IPPROTO_IPV6, IPV6_RECVTCLASS, 1},
  {IPPROTO_IPV6, 11 /* FLOWINFO */, 1}, {IPPROTO_IPV6, IPV6_2292PKTINFO, 1}, {IPPROTO_IPV6, IPV6_2292HOPOPTS, 1},
  {IPPROTO_IPV6, IPV6_2292DSTOPTS, 1}, {IPPROTO_IPV6, IPV6_2292RTHDR, 1}, {IPPROTO_IPV6, IPV6_2292HOPLIMIT, 1},
  {IPPROTO_IPV6, 30 /* ROUTER_ALERT_ISOLATE */, 1}, {0}};
static const struct option of_tcp[] = {
  {IPPROTO_TCP, TCP_MAXSEG, 900}, {IPPROTO_TCP, 16 /* THIN_LINEAR_TIMEOUTS */, 1}, {IPPROTO_TCP, 30 /* FASTOPEN_CONNECT */, 1},
  {IPPROTO_TCP, 34 /* FASTOPEN_NO_COOKIE */, 1}, {IPPROTO_TCP, 37 /* TX_DELAY */, 5}, {IPPROTO_TCP, 44 /* RTO_MAX_MS */, 9000}, {0}};
static const struct option of_unix[] = {{SOL_SOCKET, SO_MAX_PACING_RATE, 123456}, {0}};
static uint8_t taken[4][24];
static int routed;  // has the address that connect() gave it
static struct sockaddr_in6 routed_here;

static void set_all(int file, const struct option *options, uint8_t *taken) {
  for (; options->name; options++, taken++)
    *taken = !setsockopt(file, options->level, options->name, &options->value, sizeof(int)) && is(file, options->level, options->name, options->value);
}

static void check_all(int file, const struct option *options, const uint8_t *taken) {
  for (; options->name; options++, taken++) need(!*taken || is(file, options->level, options->name, options->value));
}

static void prepare_options(void) {
  four = socket(AF_INET, SOCK_DGRAM, 0), six = socket(AF_INET6, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0);
  skip_unless(six >= 0);
  set_all(four, of_four, taken[0]), set_all(six, of_six, taken[1]), set_all(tcp, of_tcp, taken[2]);
  need(!socketpair(AF_UNIX, SOCK_STREAM, 0, unix_pair));
  set_all(unix_pair[0], of_unix, taken[3]);
  routed = socket(AF_INET6, SOCK_DGRAM, 0);
  struct sockaddr_in6 there = {.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = in6addr_loopback};
  socklen_t length = sizeof routed_here;
  need(!connect(routed, (void *)&there, sizeof there) && !getsockname(routed, (void *)&routed_here, &length));
  set(routed, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  need(taken[0][2] && taken[0][13] && taken[1][2] && taken[1][12] && taken[2][0] && taken[3][0]);
  uint32_t ports = 40000 | 50000u << 16, index = htonl(if_nametoindex("lo"));
  need(!setsockopt(four, IPPROTO_IP, 50 /* UNICAST_IF */, &index, sizeof index));
  need(!setsockopt(six, IPPROTO_IPV6, 76 /* UNICAST_IF */, &index, sizeof index));
  set(six, IPPROTO_IPV6, IPV6_MULTICAST_IF, if_nametoindex("lo"));
  if (setsockopt(four, IPPROTO_IP, 51 /* LOCAL_PORT_RANGE */, &ports, sizeof ports)) taken[0][23] = 1;
  struct in_addr address = {htonl(INADDR_LOOPBACK)};
  need(!setsockopt(four, IPPROTO_IP, IP_MULTICAST_IF, &address, sizeof address));
}

static void check_options(void) {
  check_all(four, of_four, taken[0]), check_all(six, of_six, taken[1]), check_all(tcp, of_tcp, taken[2]);
  check_all(unix_pair[0], of_unix, taken[3]);
  struct sockaddr_in6 here;
  socklen_t length = sizeof here;
  need(!getsockname(routed, (void *)&here, &length) && !memcmp(&here, &routed_here, sizeof here));
  need(is(routed, IPPROTO_IPV6, IPV6_V6ONLY, 0) && is(routed, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
  need(is(four, IPPROTO_IP, 50, htonl(if_nametoindex("lo"))) && is(six, IPPROTO_IPV6, 76, htonl(if_nametoindex("lo"))));
  need(is(six, IPPROTO_IPV6, IPV6_MULTICAST_IF, if_nametoindex("lo")));
  need(taken[0][23] || is(four, IPPROTO_IP, 51, (int)(40000 | 50000u << 16)));
  need(is(four, IPPROTO_IP, IP_MULTICAST_IF, htonl(INADDR_LOOPBACK)));
}

// Classic packet filters, one of them locked.

static void prepare_filters(void) {
  struct sock_filter drop[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  struct sock_filter pass[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_STMT(BPF_RET | BPF_K, 0xffff)};
  struct sock_fprog none = {1, drop}, all = {2, pass};
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof here;
  filtered = socket(AF_INET, SOCK_DGRAM, 0);
  need(!bind(filtered, (void *)&here, sizeof here) && !getsockname(filtered, (void *)&here, &length));
  need(!setsockopt(filtered, SOL_SOCKET, SO_ATTACH_FILTER, &none, sizeof none));
  set(filtered, SOL_SOCKET, SO_LOCK_FILTER, 1);
  udp = socket(AF_INET, SOCK_DGRAM, 0);
  need(!connect(udp, (void *)&here, sizeof here));
  need(!socketpair(AF_UNIX, SOCK_DGRAM, 0, unix_pair));
  need(send(unix_pair[0], "before the filter", 17, 0) == 17);
  need(!setsockopt(unix_pair[1], SOL_SOCKET, SO_ATTACH_FILTER, &none, sizeof none));
  tcp = socket(AF_INET, SOCK_STREAM, 0);
  need(!setsockopt(tcp, SOL_SOCKET, SO_ATTACH_FILTER, &all, sizeof all));
}

static void check_filters(void) {
  struct sock_filter found[4];
  socklen_t length = 4;
  need(!getsockopt(tcp, SOL_SOCKET, SO_GET_FILTER, found, &length) && length == 2 && found[1].k == 0xffff);
  need(is(filtered, SOL_SOCKET, SO_LOCK_FILTER, 1));
  int off = 0;
  need(setsockopt(filtered, SOL_SOCKET, SO_DETACH_FILTER, &off, sizeof off) == -1 && errno == EPERM);
  char bytes[32];
  need(send(udp, "x", 1, 0) == 1);
  usleep(50000);
  need(recv(filtered, bytes, 32, MSG_DONTWAIT) == -1 && errno == EAGAIN);
  need(recv(unix_pair[1], bytes, 32, MSG_DONTWAIT) == 17);
  need(send(unix_pair[0], "x", 1, 0) == -1 || recv(unix_pair[1], bytes, 32, MSG_DONTWAIT) == -1);
}

// A listener of multipath TCP, as Go makes them by default.

static void prepare_multipath(void) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  tcp = socket(AF_INET, SOCK_STREAM, 262);
  skip_unless(tcp >= 0);
  need(!bind(tcp, (void *)&here, sizeof here) && !listen(tcp, 7));
}

static void check_multipath(void) {
  struct sockaddr_in here;
  socklen_t length = sizeof here;
  need(is(tcp, SOL_SOCKET, SO_PROTOCOL, 262) && !getsockname(tcp, (void *)&here, &length));
  int client = socket(AF_INET, SOCK_STREAM, 0);
  need(!connect(client, (void *)&here, sizeof here) && accept(tcp, NULL, NULL) >= 0);
}

// Netlink: who asks the kernel, and who is told by groups, also beyond the first 32.

static int asking, told, fresh;
static struct sockaddr_nl asks;

static void prepare_netlink(void) {
  asking = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), told = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE);
  fresh = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT);
  struct sockaddr_nl any = {.nl_family = AF_NETLINK}, groups = {.nl_family = AF_NETLINK, .nl_groups = 0x11};
  socklen_t length = sizeof asks;
  need(!bind(asking, (void *)&any, sizeof any) && !getsockname(asking, (void *)&asks, &length));
  need(!bind(told, (void *)&groups, sizeof groups));
  set(told, 270, NETLINK_ADD_MEMBERSHIP, 33);
  set(asking, 270, NETLINK_EXT_ACK, 1);
}

static void check_netlink(void) {
  struct sockaddr_nl now;
  socklen_t length = sizeof now;
  need(!getsockname(asking, (void *)&now, &length) && now.nl_pid == asks.nl_pid && asks.nl_pid);
  need(!getsockname(told, (void *)&now, &length) && now.nl_groups == 0x11);
  uint32_t groups[4] = {0};
  length = sizeof groups;
  need(!getsockopt(told, 270, NETLINK_LIST_MEMBERSHIPS, groups, &length) && groups[0] == 0x11 && groups[1] == 1);
  need(is(asking, 270, NETLINK_EXT_ACK, 1) && !getsockname(fresh, (void *)&now, &length) && now.nl_pid == 0);
  struct { struct nlmsghdr head; char rest[16]; } request = {.head = {32, 18 /* RTM_GETLINK */, NLM_F_REQUEST | NLM_F_DUMP}};
  char answer[4096];
  need(send(asking, &request, 32, 0) == 32 && recv(asking, answer, sizeof answer, 0) > 64);
}

static const struct test_case cases[] = {
  {"groups", prepare_groups, check_groups},
  {"options", prepare_options, check_options},
  {"filters", prepare_filters, check_filters},
  {"multipath", prepare_multipath, check_multipath},
  {"netlink", prepare_netlink, check_netlink},
  {0},
};

int main(int argc, char **argv) { return run_case(argc, argv, cases); }
