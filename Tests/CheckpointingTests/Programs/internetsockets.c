// TCP sockets that listen, are bound or fresh, and UDP sockets, of both versions of IP, with their options.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int option(int file, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  getsockopt(file, level, name, &value, &length);
  return value;
}

static int port(int file) {
  struct sockaddr_in6 address;
  socklen_t length = sizeof address;
  return getsockname(file, (void *)&address, &length) ? -1 : ntohs(address.sin6_port);
}

int main(void) {
  int on = 1;
  // An address of its own (127/8 is all this machine): nobody else takes its ports while it is away.
  struct sockaddr_in here = {.sin_family = AF_INET};
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK | (getpid() & 0xffff) << 8);
  struct sockaddr_in6 here6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
  int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(listening, (void *)&here, sizeof here) || listen(listening, 13)) return 1;
  int same = socket(AF_INET, SOCK_STREAM, 0), same2 = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(same, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  setsockopt(same2, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (bind(same, (void *)&here, sizeof here) || listen(same, 5)) return 2;
  struct sockaddr_in shared = here;
  shared.sin_port = htons(port(same));
  if (bind(same2, (void *)&shared, sizeof shared) || listen(same2, 5)) return 3;
  int six = socket(AF_INET6, SOCK_STREAM, 0);
  int has6 = six >= 0;
  if (has6) {
    setsockopt(six, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(six, (void *)&here6, sizeof here6) || listen(six, 3)) has6 = 0;
  }
  int bound = socket(AF_INET, SOCK_STREAM, 0), fresh = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(bound, (void *)&here, sizeof here)) return 4;
  int idle = 77, buffer = 60000;
  struct linger linger = {1, 9};
  setsockopt(fresh, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fresh, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(fresh, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fresh, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  setsockopt(fresh, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  int udp = socket(AF_INET, SOCK_DGRAM, 0), peer = socket(AF_INET, SOCK_DGRAM, 0);
  if (bind(udp, (void *)&here, sizeof here)) return 5;
  struct sockaddr_in to = here;
  to.sin_port = htons(port(udp));
  if (connect(peer, (void *)&to, sizeof to)) return 6;
  setsockopt(udp, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
  setsockopt(udp, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  int ports[] = {port(listening), port(same), has6 ? port(six) : 0, port(bound), port(udp), port(peer)};

  for (int i = 0; i < 150; i++) {
    usleep(10000);
    char bytes[8];
    if (option(listening, SOL_SOCKET, SO_ACCEPTCONN) != 1 || accept(listening, NULL, NULL) != -1 || errno != EAGAIN) return 7;
    (void)bytes;
  }

  int now[] = {port(listening), port(same), has6 ? port(six) : 0, port(bound), port(udp), port(peer)};
  if (memcmp(ports, now, sizeof now)) return 8;
  int client = socket(AF_INET, SOCK_STREAM, 0);
  here.sin_port = htons(ports[0]);
  if (connect(client, (void *)&here, sizeof here) || accept(listening, NULL, NULL) < 0) return 9;
  if (option(listening, SOL_SOCKET, SO_REUSEADDR) != 0 || option(same, SOL_SOCKET, SO_REUSEPORT) != 1) return 10;
  if (option(same2, SOL_SOCKET, SO_ACCEPTCONN) != 1 || port(same2) != ports[1]) return 11;
  if (has6 && option(six, IPPROTO_IPV6, IPV6_V6ONLY) != 1) return 12;
  if (option(fresh, SOL_SOCKET, SO_KEEPALIVE) != 1 || option(fresh, IPPROTO_TCP, TCP_KEEPIDLE) != 77) return 13;
  if (option(fresh, IPPROTO_TCP, TCP_NODELAY) != 1 || option(fresh, SOL_SOCKET, SO_RCVBUF) != 2 * buffer) return 14;
  if (fcntl(fresh, F_GETFD) != FD_CLOEXEC || !(fcntl(listening, F_GETFL) & O_NONBLOCK)) return 15;
  if (option(fresh, SOL_SOCKET, SO_LINGER) != 1 || option(udp, IPPROTO_IP, IP_PKTINFO) != 1) return 16;
  if (listen(bound, 1) || option(udp, SOL_SOCKET, SO_BROADCAST) != 1) return 17;
  char bytes[8];
  if (send(peer, "hello", 5, 0) != 5 || recv(udp, bytes, 8, 0) != 5) return 18;
  here.sin_port = htons(ports[1]);
  return connect(fresh, (void *)&here, sizeof here) ? 19 : 0;
}
