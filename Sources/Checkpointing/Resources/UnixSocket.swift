import BinaryCodec
import LinuxSystem

/// A Unix socket: one of a pair, connected, bound, listening, or none of these yet; with what is in its queue.
enum UnixSocket: DescriptorKind {
  static let name = "unix"

  struct Detail: FieldCoded, Equatable {
    /// SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET.
    var type: Int32 = 0
    /// Its description, and one more than the description at its other end; 0 where nobody is.
    var own: UInt32 = 0
    var peer: UInt32 = 0
    /// It was connected to one that has been closed.
    var isOrphan = false
    /// `struct sockaddr_un`; empty without a name.
    var address: [UInt8] = []
    /// The name is a file that leads to it.
    var file: SocketFile?
    /// Where its name starts from, if that is a relative path: the folder that its program worked in.
    var folder = ""
    /// The path of its file, where that was moved after it got its name.
    var presentPath = ""
    /// To which it is connected though that is no description of the tree.
    var peerAddress: [UInt8] = []
    var isListening = false
    var backlog: UInt32 = 0
    /// Bit 0: nothing is received any more, bit 1: nothing is sent.
    var shutdown: UInt8 = 0
    var options = SocketOptions()
    var peekOffset: UInt32 = .max
    var queue: [Message] = []
    /// Who made the pair, connected or began to listen, as the other end is told (SO_PEERCRED).
    var maker: PeerIdentity?
    /// Its other end was closed with something unread in it, and that has not been told yet.
    var wasReset = false

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &type)
      try coder.field(2, &own)
      try coder.field(3, &peer)
      try coder.field(4, &isOrphan)
      try coder.field(5, &address)
      try coder.field(6, &file)
      try coder.field(7, &peerAddress)
      try coder.field(8, &isListening)
      try coder.field(9, &backlog)
      try coder.field(10, &shutdown)
      try coder.field(11, &options)
      try coder.field(12, &peekOffset)
      try coder.field(13, &queue)
      var noted = maker.map { Maker($0) }
      try coder.field(14, &noted)
      maker = noted?.identity
      try coder.field(15, &wasReset)
      try coder.field(16, &folder)
      try coder.field(17, &presentPath)
      guard address.count <= 110, peerAddress.count <= 110 else { throw .outOfRange(5) }
    }
  }

  /// Process, user and groups.
  private struct Maker: FieldCoded {
    var process: Int32 = 0
    var user: UInt32 = 0
    var group: UInt32 = 0
    var supplementaryGroups: [UInt64] = []

    init() {}

    init(_ identity: PeerIdentity) {
      (process, user, group) = (identity.process, identity.user, identity.group)
      supplementaryGroups = identity.supplementaryGroups.map(UInt64.init)
    }

    var identity: PeerIdentity {
      PeerIdentity(
        process: process, user: user, group: group,
        supplementaryGroups: supplementaryGroups.map { UInt32(truncatingIfNeeded: $0) })
    }

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &process)
      try coder.field(2, &user)
      try coder.field(3, &group)
      try coder.field(4, &supplementaryGroups)
    }
  }

  /// A socket's place in the file system.
  struct SocketFile: FieldCoded, Equatable {
    var permissions: UInt32 = 0
    var user: UInt32 = 0
    var group: UInt32 = 0

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &permissions)
      try coder.field(2, &user)
      try coder.field(3, &group)
    }
  }

  struct Message: FieldCoded, Equatable {
    var bytes: [UInt8] = []
    /// One more than the description that sent it, where that matters.
    var sender: UInt32 = 0
    /// Process, user and group of the sender, where the receiver asks for them.
    var credentials: [UInt64] = []
    /// For capture: where it came from.
    var address: [UInt8] = []

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &bytes)
      try coder.field(2, &sender)
      try coder.field(3, &credentials)
      try coder.field(4, &address)
    }
  }

  static let family: Int32 = 1
  static let stream: Int32 = 1
  static let datagrams: Int32 = 2
  static let packets: Int32 = 5
  static let nonBlocking: Int32 = 0o4000
  /// SO_PASSCRED
  static let passCredentials: Int32 = 16
  /// SO_PEEK_OFF
  static let peekOffset: Int32 = 42

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    seen.details.kind == .socket && seen.socketFamily == family
  }

  static func decode(_ bytes: [UInt8]) throws(CheckpointError) -> Detail {
    do throws(FieldError) {
      return try Detail(decoding: bytes[...])
    } catch {
      throw .malformed(error)
    }
  }
}

extension SeenDescriptor {
  /// AF_ number; nil for what is no socket.
  var socketFamily: Int32? { (try? copy.number(ofOption: 39)).map { Int32(bitPattern: $0) } }
}

extension UnixSocket {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    guard let detail = try? Detail(decoding: state.detail[...]) else { return nil }
    let kinds: [Int32: String] = [1: "stream", datagrams: "datagrams", 5: "packets"]
    var text = kinds[detail.type] ?? "type \(detail.type)"
    if let name = readable(detail.address) { text += ", \(name)" }
    if detail.isListening { text += ", listens" }
    if detail.isOrphan { text += ", its other end was closed" }
    if detail.peer > 0 {
      text +=
        ", connected to \(checkpoint.holder(ofDescription: Int(detail.peer) - 1) ?? "another")"
    } else if let peer = readable(detail.peerAddress) {
      text += ", sends to \(peer)"
    }
    let count = detail.queue.reduce(0) { $0 + $1.bytes.count }
    return text + (count > 0 ? ", \(count) bytes in its queue" : "")
  }

  /// A path, or an abstract name after `@`; nil for none.
  private static func readable(_ address: [UInt8]) -> String? {
    if let path = path(of: address) { return path }
    guard address.count > 3 else { return nil }
    return "@" + String(pathBytes: address.dropFirst(3))
  }
}
