import BinaryCodec
import LinuxSystem
import SystemPackage

/// A TCP socket that is not connected, or that was and comes back with its other end gone; or a UDP socket. Of IPv4
/// or IPv6.
enum InternetSocket: DescriptorKind {
  static let name = "internet"

  struct Detail: FieldCoded, Equatable {
    /// AF_INET or AF_INET6, SOCK_STREAM or SOCK_DGRAM.
    var family: Int32 = 0
    var type: Int32 = 0
    /// `struct sockaddr_in` or `_in6`; the peer's for a UDP socket that has one.
    var address: [UInt8] = []
    var peerAddress: [UInt8] = []
    var isListening = false
    var backlog: UInt32 = 0
    var options = SocketOptions()
    /// SO_REUSEADDR and SO_REUSEPORT, which the binding of others may need otherwise.
    var reusesAddress: UInt32 = 0
    var reusesPort: UInt32 = 0
    /// Datagrams that nobody had received: they are lost, as datagrams may be.
    var lostDatagrams = false
    var memberships: [Membership] = []
    /// IPPROTO_ number where it is not the usual one of its type.
    var protocolNumber: Int32 = 0
    /// A connection, of which nothing is left but that there was one.
    var isCutOff = false

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &family)
      try coder.field(2, &type)
      try coder.field(3, &address)
      try coder.field(4, &peerAddress)
      try coder.field(5, &isListening)
      try coder.field(6, &backlog)
      try coder.field(7, &options)
      try coder.field(8, &reusesAddress)
      try coder.field(9, &reusesPort)
      try coder.field(10, &lostDatagrams)
      try coder.field(20, &memberships)
      try coder.field(21, &protocolNumber)
      try coder.field(22, &isCutOff)
      guard address.count <= 28, peerAddress.count <= 28 else { throw .outOfRange(3) }
    }

    /// Bytes 2 and 3 of an address.
    var hasPort: Bool { address.count >= 4 && (address[2] != 0 || address[3] != 0) }
    var hasHost: Bool {
      let host = family == version4 ? 4..<8 : 8..<24
      return address.count >= host.upperBound && address[host].contains { $0 != 0 }
    }
    /// connect(2) has given it its address: bind(2) of one of IPv6 would have set IPV6_V6ONLY.
    var hasHostOfItsRoute: Bool {
      family == version6 && type == datagram && !peerAddress.isEmpty && hasHost
        && options.values.contains { ($0.level, $0.number) == (41, 26) && $0.bytes.first == 0 }
    }
    /// Its port at no address.
    var anyHost: [UInt8] {
      var any = address
      any.replaceSubrange(8..<24, with: repeatElement(0, count: 16))
      return any
    }
  }

  static let version4: Int32 = 2
  static let version6: Int32 = 10
  fileprivate static let stream: Int32 = 1
  private static let datagram: Int32 = 2
  private static let raw: Int32 = 3
  /// IPPROTO_MPTCP
  private static let multipath: Int32 = 262
  /// SO_REUSEADDR, SO_REUSEPORT
  private static let reuseAddress: Int32 = 2
  private static let reusePort: Int32 = 15

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    guard seen.details.kind == .socket, let family = seen.socketFamily else { return false }
    return family == version4 || family == version6
  }

  /// Options by their levels: those of sockets, IP (0), IPv6 (41), TCP (6), UDP (17). The numbers are those
  /// of linux/in.h, in6.h, tcp.h and udp.h.
  private static func options(_ family: Int32, _ type: Int32) -> [(level: Int32, numbers: [Int32])]
  {
    var known: [(level: Int32, numbers: [Int32])] = [
      (1, SocketOptions.general + [42, 49, 70, 73]),
      // TOS, TTL, OPTIONS, RECVOPTS, RETOPTS, PKTINFO, MTU_DISCOVER, RECVERR, RECVTTL, RECVTOS, FREEBIND,
      // PASSSEC, TRANSPARENT, RECVORIGDSTADDR, MINTTL, CHECKSUM, BIND_ADDRESS_NO_PORT, RECVFRAGSIZE,
      // RECVERR_RFC4884, MULTICAST_IF, MULTICAST_TTL, MULTICAST_LOOP, MULTICAST_ALL, LOCAL_PORT_RANGE
      (
        0,
        [1, 2, 4, 6, 7, 8, 10, 11, 12, 13, 15, 18, 19, 20, 21, 23, 24, 25, 26, 32, 33, 34, 49, 51]
      ),
    ]
    if family == version6 {
      // 2292PKTINFO, 2292HOPOPTS, 2292DSTOPTS, 2292RTHDR, 2292HOPLIMIT, FLOWINFO, UNICAST_HOPS,
      // MULTICAST_HOPS, MULTICAST_LOOP, MTU_DISCOVER, RECVERR, V6ONLY, MULTICAST_ALL, ROUTER_ALERT_ISOLATE,
      // RECVERR_RFC4884, FLOWINFO_SEND, RECVPKTINFO, RECVHOPLIMIT, RECVHOPOPTS, HOPOPTS, RTHDRDSTOPTS,
      // RECVRTHDR, RTHDR, RECVDSTOPTS, DSTOPTS, RECVPATHMTU, DONTFRAG, RECVTCLASS, TCLASS, AUTOFLOWLABEL,
      // ADDR_PREFERENCES, MINHOPCOUNT, ORIGDSTADDR, TRANSPARENT, RECVFRAGSIZE, FREEBIND
      known.append(
        (
          41,
          [
            2, 3, 4, 5, 8, 11, 16, 18, 19, 23, 25, 26, 29, 30, 31, 33, 49, 51, 53, 54, 55, 56, 57,
            58, 59, 60, 62, 66, 67,
            70, 72, 73, 74, 75, 77, 78,
          ]
        ))
    }
    if type == stream {
      // NODELAY, MAXSEG, CORK, KEEPIDLE, KEEPINTVL, KEEPCNT, SYNCNT, LINGER2, DEFER_ACCEPT, WINDOW_CLAMP,
      // CONGESTION, THIN_LINEAR_TIMEOUTS, USER_TIMEOUT, FASTOPEN, NOTSENT_LOWAT, SAVE_SYN,
      // FASTOPEN_CONNECT, FASTOPEN_NO_COOKIE, INQ, TX_DELAY, RTO_MAX_MS, RTO_MIN_US,
      // DELACK_MAX_US
      known.append(
        (
          6,
          [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 16, 18, 23, 25, 27, 30, 34, 36, 37, 44, 45, 46]
        ))
    } else {
      // CORK, NO_CHECK6_TX, NO_CHECK6_RX, SEGMENT, GRO
      known.append((17, [1, 101, 102, 103, 104]))
    }
    return known
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    var detail = Detail()
    detail.family = seen.socketFamily ?? 0
    var kind: UInt32 = 0
    var state: [UInt8] = []
    try about(seen.process) { () throws(SystemCallError) in
      detail.type = Int32(bitPattern: try seen.copy.number(ofOption: 3))
      kind = try seen.copy.number(ofOption: 38)
      detail.reusesAddress = try seen.copy.number(ofOption: reuseAddress)
      detail.reusesPort = try seen.copy.number(ofOption: reusePort)
      detail.address = try seen.copy.ownAddress()
      detail.peerAddress = try seen.copy.peerAddress() ?? []
      state = try seen.copy.option(6, 11, limit: 64) ?? []  // TCP_INFO
    }
    switch (detail.type, Int32(truncatingIfNeeded: kind)) {
    case (stream, 6): try lookAtConnection(seen, &detail, state, tree.options.connections)
    case (stream, multipath):
      detail.protocolNumber = multipath
      try lookAtConnection(seen, &detail, state, tree.options.connections)
    case (datagram, 17): try lookAtDatagrams(seen, &detail)
    case (raw, _):
      throw seen.obstacle(
        "it is a raw socket, of protocol \(kind)", remedy: "let the program close it first")
    default: throw seen.obstacle("it is a socket of protocol \(kind), which can't be saved")
    }
    detail.options = try SocketOptions(of: seen, options(detail.family, detail.type))
    try lookAtInterfaces(seen, &detail)
    return detail.encoded()
  }

  private static func lookAtConnection(
    _ seen: SeenDescriptor, _ detail: inout Detail, _ information: [UInt8],
    _ connections: SaveOptions.TCPConnections
  ) throws(CheckpointError) {
    guard information.count >= 32 else { throw seen.obstacle("the kernel does not tell its state") }
    let (closed, listening): (UInt8, UInt8) = (7, 10)  // TCP_CLOSE, TCP_LISTEN
    let isSpent = try hasEnded(seen)
    if information[0] == listening {
      detail.isListening = true
      // tcpi_unacked and tcpi_sacked: who waits, and how many may
      let counts = [24, 28].map { start in
        information[start..<start + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      }
      detail.backlog = counts[1]
      // Those that nobody has accepted are cut off with the others.
      if counts[0] > 0, connections == .refuse {
        throw seen.passingObstacle("connections wait to be accepted")
      }
    } else if information[0] != closed || !detail.peerAddress.isEmpty || isSpent {
      guard connections == .close else {
        throw seen.obstacle(
          information[0] == closed
            ? "it was a TCP connection, whose end and last bytes the program may not have seen"
            : "it is an established TCP connection",
          remedy:
            "let the program close it first, or pass --tcp close: then it comes back with its other end gone"
        )
      }
      detail.isCutOff = true
      detail.peerAddress = []
      return
    }
    let layer = try about(seen.process) { () throws(SystemCallError) in try seen.copy.option(6, 31)
    }
    if let layer, !layer.isEmpty, !layer.starts(with: Array("mptcp".utf8)) {
      throw seen.obstacle("it has an upper layer protocol such as TLS")
    }
  }

  /// A fresh one says neither: that it has ended, and that there was an error.
  private static func hasEnded(_ seen: SeenDescriptor) throws(CheckpointError) -> Bool {
    try about(seen.process) { () throws(SystemCallError) in
      try seen.copy.readyEvents(PollEvents.ended) & (PollEvents.ended | PollEvents.failed) != 0
    }
  }

  private static func lookAtDatagrams(
    _ seen: SeenDescriptor, _ detail: inout Detail
  ) throws(CheckpointError) {
    let (unsent, tunnel) = try about(seen.process) { () throws(SystemCallError) in
      (try seen.copy.unsentByteCount(), try seen.copy.number(ofOption: 100, level: 17))
    }
    if unsent != 0 {
      throw seen.passingObstacle(
        "it has a datagram that is not complete (UDP_CORK, MSG_MORE), or not sent yet")
    }
    if tunnel != 0 { throw seen.obstacle("it carries a tunnel of the kernel (UDP_ENCAP)") }
    detail.lostDatagrams = try about(seen.process) { () throws(SystemCallError) in
      let events = try seen.copy.readyEvents(PollEvents.readable | PollEvents.ended)
      // After shutdown(2) it can always be read from.
      return events & (PollEvents.readable | PollEvents.ended) == PollEvents.readable
    }
  }

  /// What goes by the number of an interface: UNICAST_IF, IPV6_MULTICAST_IF and IPV6_UNICAST_IF; and groups.
  private static func lookAtInterfaces(
    _ seen: SeenDescriptor, _ detail: inout Detail
  ) throws(CheckpointError) {
    try detail.options.addInterface(of: seen, 0, 50, isSwapped: true)
    if detail.family == version6 {
      try detail.options.addInterface(of: seen, 41, 17, isSwapped: false)
      try detail.options.addInterface(of: seen, 41, 76, isSwapped: true)
    }
    guard detail.type == datagram else { return }
    detail.memberships = try about(seen.process) { () throws(SystemCallError) in
      try seen.copy.groupMemberships()
    }.map { Membership($0) }
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    guard [version4, version6].contains(detail.family), [stream, datagram].contains(detail.type)
    else { throw .malformed(.outOfRange(1)) }
    if detail.lostDatagrams {
      restoration.warn(0, "a UDP socket", "had datagrams that were not received; they are lost")
    }
    do throws(SystemCallError) {
      if detail.isCutOff { return try makeCutOff(detail, state.flags) }
      return try NamePatience.bind { () throws(SystemCallError) in
        try make(detail, state.flags)
      }
    } catch {
      guard
        [.addressInUse, .addressNotAvailable, .noSuchAddressOrDevice].contains(error.errno)
      else {
        throw .system(error, process: nil)
      }
      throw .obstacles([
        Obstacle(
          ProcessID(0), place(of: detail),
          error.errno == .addressInUse
            ? "it is in use by another process"
            : error.errno == .addressNotAvailable
              ? "it is no address of this machine"
              : "the network interface \(error.subject) that it uses is not there",
          remedy: error.errno == .addressInUse
            ? "end that process ('ss -tulnp' shows it), or restore in a network namespace of its own ('ip netns exec')"
            : "add it (see ip(8)), or restore where it is")
      ])
    }
  }

  private static func make(
    _ detail: Detail, _ flags: UInt32
  ) throws(SystemCallError) -> OwnedDescriptor {
    if detail.hasHostOfItsRoute {
      let socket = try? make(detail, flags, at: detail.anyHost)
      if let socket, try socket.ownAddress() == detail.address { return socket }
      // The way there is another now, or the port is taken elsewhere.
    }
    return try make(detail, flags, at: detail.hasPort || detail.hasHost ? detail.address : nil)
  }

  private static func make(
    _ detail: Detail, _ flags: UInt32, at address: [UInt8]?
  ) throws(SystemCallError) -> OwnedDescriptor {
    let socket = try OwnedDescriptor.makeSocket(
      family: detail.family, type: detail.type, protocol: detail.protocolNumber)
    try detail.options.set(on: socket)
    for membership in detail.memberships { try socket.join(membership.value) }
    try detail.options.attachFilter(to: socket)
    // Connections that have ended linger, and must not be in the way.
    try socket.setOption(
      reuseAddress, to: detail.type == stream ? 1 : detail.reusesAddress)
    if detail.reusesPort != 0 { try socket.setOption(reusePort, to: 1) }
    if let address { try socket.bind(to: address) }
    if detail.isListening { try socket.listen(backlog: Int32(clamping: detail.backlog)) }
    if !detail.peerAddress.isEmpty { try socket.connect(to: detail.peerAddress) }
    try socket.setOption(reuseAddress, to: detail.reusesAddress)
    try socket.control(4, Int(flags))  // F_SETFL
    return socket
  }

  /// A connection whose other end is gone: with this machine itself, and ended there by a reset. The first call on
  /// it gives ECONNRESET; then reading gives its end and writing EPIPE.
  private static func makeCutOff(
    _ detail: Detail, _ flags: UInt32
  ) throws(SystemCallError) -> OwnedDescriptor {
    let listener = try OwnedDescriptor.makeSocket(
      family: detail.family, type: stream, protocol: 0)
    try listener.bind(to: detail.family == version4 ? ownAddress4 : ownAddress6)
    try listener.listen(backlog: 1)
    let socket = try OwnedDescriptor.makeSocket(family: detail.family, type: stream, protocol: 0)
    try socket.connect(to: listener.ownAddress())
    do {
      let far = try listener.acceptConnection()
      // SO_LINGER, on, for no time: what ends it is a reset.
      try far.setOption(1, 13, [1, 0, 0, 0, 0, 0, 0, 0])
    }
    for _ in 0..<1000 where try socket.readyEvents() & PollEvents.hungUp == 0 {
      Machine.sleep(seconds: 0.001)
    }
    // Options that a connection without another end does not take make no difference to it.
    try? detail.options.set(on: socket)
    try socket.setOption(reuseAddress, to: detail.reusesAddress)
    try socket.control(4, Int(flags))  // F_SETFL
    return socket
  }

  /// 127.0.0.1 and ::1, any port.
  private static let ownAddress4: [UInt8] =
    [2, 0, 0, 0, 127, 0, 0, 1] + [UInt8](repeating: 0, count: 8)
  private static let ownAddress6: [UInt8] =
    [10, 0] + [UInt8](repeating: 0, count: 21) + [1, 0, 0, 0, 0]

  private static func place(of detail: Detail) -> String {
    let port = detail.address.count >= 4 ? Int(detail.address[2]) << 8 | Int(detail.address[3]) : 0
    return "\(detail.type == stream ? "TCP" : "UDP") port \(port)"
  }
}

extension InternetSocket {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    guard let detail = try? Detail(decoding: state.detail[...]) else { return nil }
    let kind = detail.type == stream ? "TCP" : "UDP"
    if detail.isCutOff { return "\(kind), was connected; comes back with its other end gone" }
    let own = text(of: detail.address)
    if detail.isListening { return "\(kind), listens at \(own)" }
    if !detail.peerAddress.isEmpty { return "\(kind), \(own) to \(text(of: detail.peerAddress))" }
    return detail.hasPort || detail.hasHost ? "\(kind), bound to \(own)" : "\(kind), not bound"
  }

  /// `127.0.0.1:80` or `[::1]:80`.
  private static func text(of address: [UInt8]) -> String {
    guard address.count >= 8 else { return "?" }
    let port = Int(address[2]) << 8 | Int(address[3])
    guard address.count >= 24, address[0] == 10 else {
      return address[4..<8].map { "\($0)" }.joined(separator: ".") + ":\(port)"
    }
    let groups = stride(from: 8, to: 24, by: 2).map {
      UInt16(address[$0]) << 8 | UInt16(address[$0 + 1])
    }
    // The longest run of zeros is left out (RFC 5952).
    var longest = 0..<0
    for start in groups.indices {
      let run = start..<start + groups[start...].prefix { $0 == 0 }.count
      if run.count > longest.count, run.count > 1 { longest = run }
    }
    func text(_ part: ArraySlice<UInt16>) -> String {
      part.map { String($0, radix: 16) }.joined(separator: ":")
    }
    let host =
      longest.isEmpty
      ? text(groups[...])
      : text(groups[..<longest.lowerBound]) + "::" + text(groups[longest.upperBound...])
    return "[\(host)]:\(port)"
  }
}
