import Glibc
import SystemPackage

/// Whom the kernel names as a socket's other end: who made the pair, connected or began to listen, and with
/// whose rights (SO_PEERCRED, SO_PEERGROUPS).
package struct PeerIdentity: Hashable, Sendable {
  /// 0 where it is none of this namespace.
  package var process: Int32
  package var user: UInt32
  package var group: UInt32
  package var supplementaryGroups: [UInt32]

  package init(process: Int32, user: UInt32, group: UInt32, supplementaryGroups: [UInt32]) {
    (self.process, self.user, self.group) = (process, user, group)
    self.supplementaryGroups = supplementaryGroups
  }

  /// The same, with the number that the process has for others.
  package func known(as process: Int32) -> PeerIdentity {
    var identity = self
    identity.process = process
    return identity
  }
}

extension OwnedDescriptor {
  /// Nil for a socket of which nobody has been noted.
  package borrowing func peerIdentity() throws(SystemCallError) -> PeerIdentity? {
    guard let bytes = try option(SOL_SOCKET, 17), bytes.count == 12 else { return nil }
    let words = Self.words(bytes)
    if words[0] == 0 && words[1] == .max { return nil }
    // SO_PEERGROUPS
    let groups = try option(SOL_SOCKET, 59, limit: 1 << 18) ?? []
    return PeerIdentity(
      process: Int32(bitPattern: words[0]), user: words[1], group: words[2],
      supplementaryGroups: Self.words(groups))
  }

  private static func words(_ bytes: [UInt8]) -> [UInt32] {
    (0..<bytes.count / 4).map { word in
      bytes[4 * word..<4 * word + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
  }

  /// How many bytes wait to be sent, or to be received (SIOCOUTQ, SIOCINQ).
  package borrowing func unsentByteCount() throws(SystemCallError) -> Int {
    try number(ofRequest: 0x5411)
  }
  package borrowing func unreadByteCount() throws(SystemCallError) -> Int {
    try number(ofRequest: 0x541b)
  }

  private borrowing func number(ofRequest request: Int) throws(SystemCallError) -> Int {
    var number: [Int32] = [0]
    try self.request("ioctl of a socket", request, &number)
    return Int(number[0])
  }

  /// What decides over what comes in.
  package enum PacketFilter: Equatable, Sendable {
    case none
    /// `struct sock_filter` in a row.
    case classic([UInt8])
    /// A program of bpf(2), which nobody can read back.
    case program
  }

  package borrowing func packetFilter() throws(SystemCallError) -> PacketFilter {
    do throws(SystemCallError) {
      let count = try packetFilterLength()
      if count == 0 { return .none }
      var instructions = [UInt64](repeating: 0, count: count)
      var length = [UInt32(count)]
      let (descriptor, name) = (descriptor, name)
      try withAddress(of: &instructions) { (instructions) throws(SystemCallError) in
        try withAddress(of: &length) { (length) throws(SystemCallError) in
          try kernelCall(
            .getsockopt, "getsockopt(SO_GET_FILTER)", on: name, Int(descriptor), 1, 26,
            instructions, length)
        }
      }
      return .classic(
        instructions.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
      )
    } catch  where error.errno == .permissionDenied {
      return .program
    }
  }

  /// Attaches a filter of `struct sock_filter` in a row.
  package borrowing func attachFilter(_ instructions: [UInt8]) throws(SystemCallError) {
    var instructions = instructions
    let count = instructions.count / 8
    let (descriptor, name) = (descriptor, name)
    try withAddress(of: &instructions) { (address) throws(SystemCallError) in
      var program = [count, address]  // struct sock_fprog
      try withAddress(of: &program) { (program) throws(SystemCallError) in
        try kernelCall(
          .setsockopt, "setsockopt(SO_ATTACH_FILTER)", on: name, Int(descriptor), 1, 26, program,
          16)
      }
    }
  }
}
