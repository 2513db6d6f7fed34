import Glibc
import SystemPackage

/// What sock_diag(7) tells of a Unix socket that the socket itself does not.
package struct UnixSocketDiagnosis: Sendable {
  /// The socket at the other end, by its inode; 0 for none.
  package private(set) var peer: UInt32 = 0
  /// Connections that nobody has accepted yet.
  package private(set) var waitingConnections = 0
  /// Bit 0: nothing is received any more, bit 1: nothing is sent.
  package private(set) var shutdown: UInt8 = 0
  /// For a listening one the most connections that wait.
  package private(set) var queueLimit: UInt32 = 0
  /// The file that it was bound to, and that may be gone: the low half of its inode.
  package private(set) var fileInode: UInt32?

  /// Of the socket with this inode; nil where the kernel does not tell.
  package init?(inode: UInt64) throws(SystemCallError) {
    guard let inode = UInt32(exactly: inode) else { return nil }
    // NETLINK_SOCK_DIAG
    let diagnosis = try OwnedDescriptor.makeSocket(family: 16, type: 3, protocol: 4)
    // struct nlmsghdr: length, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST; struct unix_diag_req: family, states,
    // inode, what to show, cookie (any)
    let words: [UInt32] = [40, 20 | 1 << 16, 1, 0, 1, .max, inode, 0x3f, .max, .max]
    try diagnosis.send(
      words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } })
    var room = [UInt8](repeating: 0, count: 32 << 10)
    guard let reply = try diagnosis.peekMessage(into: &room)?.bytes, reply.count >= 32,
      Self.integer(reply, 4, 2) == 20
    else { return nil }
    // struct unix_diag_msg (16 bytes), then attributes: length, type, value
    var next = 32
    while next + 4 <= reply.count {
      let length = Int(Self.integer(reply, next, 2))
      guard length >= 4, next + length <= reply.count else { break }
      let value = next + 4
      switch (Self.integer(reply, next + 2, 2), length - 4) {
      case (1, 8...): fileInode = Self.integer(reply, value, 4)
      case (2, 4...): peer = Self.integer(reply, value, 4)
      case (3, let count): waitingConnections = count / 4
      case (4, 8...): queueLimit = Self.integer(reply, value + 4, 4)
      case (6, 1...): shutdown = reply[value]
      default: break
      }
      next += (length + 3) & ~3
    }
  }

  private static func integer(_ bytes: [UInt8], _ start: Int, _ count: Int) -> UInt32 {
    bytes[start..<min(start + count, bytes.count)].reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }
}
