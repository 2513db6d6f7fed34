import BinaryCodec
import LinuxSystem
import SystemPackage

/// A netlink socket that asks the kernel about interfaces, devices or sockets, or is told what becomes of
/// them: netlink(7). What the kernel says while the processes are not there, nobody hears.
enum NetlinkSocket: DescriptorKind {
  static let name = "netlink"

  struct Detail: FieldCoded, Equatable {
    /// SOCK_RAW or SOCK_DGRAM, and NETLINK_ number.
    var type: Int32 = 0
    var protocolNumber: Int32 = 0
    /// Its number among netlink sockets; 0 for one that has none yet.
    var port: UInt32 = 0
    /// Bit n - 1 of the words, one after the other, for group n.
    var groups: [UInt64] = []
    var options = SocketOptions()

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &type)
      try coder.field(2, &protocolNumber)
      try coder.field(3, &port)
      try coder.field(4, &groups)
      try coder.field(5, &options)
      guard groups.count <= 32 else { throw .outOfRange(4) }
    }
  }

  static let family: Int32 = 16
  /// NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_KOBJECT_UEVENT: those of which the kernel keeps nothing but
  /// who listens.
  private static let protocols: Set<Int32> = [0, 4, 15]
  /// SOL_NETLINK, and of its options ADD_MEMBERSHIP and LIST_MEMBERSHIPS.
  private static let level: Int32 = 270
  private static let join: Int32 = 1
  private static let list: Int32 = 9

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    seen.details.kind == .socket && seen.socketFamily == family
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    var detail = Detail()
    // Besides those of all PASSCRED; PKTINFO, BROADCAST_ERROR, NO_ENOBUFS, LISTEN_ALL_NSID, CAP_ACK,
    // EXT_ACK, GET_STRICT_CHK
    detail.options = try SocketOptions(
      of: seen, [(1, SocketOptions.general + [16]), (level, [3, 4, 5, 8, 10, 11, 12])])
    let (own, peer, events) = try about(seen.process) { () throws(SystemCallError) in
      detail.type = Int32(bitPattern: try seen.copy.number(ofOption: 3))
      detail.protocolNumber = Int32(bitPattern: try seen.copy.number(ofOption: 38))
      detail.groups = words(try seen.copy.option(level, list) ?? [])
      return (
        try seen.copy.ownAddress(), try seen.copy.peerAddress() ?? [],
        try seen.copy.readyEvents(PollEvents.readable)
      )
    }
    guard protocols.contains(detail.protocolNumber) else {
      throw seen.obstacle(
        "it is a netlink socket of protocol \(detail.protocolNumber), of which the kernel keeps more"
          + " than it tells",
        remedy: "let the program close it first")
    }
    // struct sockaddr_nl: family, padding, port, groups
    guard own.count == 12, !peer.dropFirst(4).contains(where: { $0 != 0 }) else {
      throw seen.obstacle("it is a netlink socket that talks to another program")
    }
    if events != 0 { throw seen.passingObstacle("it has messages that nobody has read") }
    detail.port = own[4..<8].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    return detail.encoded()
  }

  private static func words(_ bytes: [UInt8]) -> [UInt64] {
    (0..<bytes.count / 4).map { word in
      bytes[4 * word..<4 * word + 4].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    guard protocols.contains(detail.protocolNumber) else { throw .malformed(.outOfRange(2)) }
    do throws(SystemCallError) {
      let socket = try OwnedDescriptor.makeSocket(
        family: family, type: detail.type & 0xf, protocol: detail.protocolNumber)
      try detail.options.set(on: socket)
      try detail.options.attachFilter(to: socket)
      if detail.port != 0 {
        try NamePatience.bind { () throws(SystemCallError) in
          try socket.bind(to: [16, 0, 0, 0] + detail.port.littleEndianBytes + [0, 0, 0, 0])
        }
      }
      for (word, groups) in detail.groups.enumerated() {
        for bit in UInt32(0)..<32 where groups >> UInt64(bit) & 1 == 1 {
          try socket.setOption(join, level: level, to: UInt32(32 * word) + bit + 1)
        }
      }
      try socket.control(DescriptorOwner.setFlags, Int(state.flags))
      return socket
    } catch {
      guard error.errno == .addressInUse else { throw .system(error, process: nil) }
      throw .obstacles([
        Obstacle(
          ProcessID(0), "netlink port \(detail.port)", "it is in use by another process",
          remedy: "end that process first")
      ])
    }
  }
}
