import BinaryCodec
import LinuxSystem
import SystemPackage

/// The Unix sockets of a tree while it is brought back: to make one may take making another.
final class UnixSocketTable {
  fileprivate var made: [UInt32: OwnedDescriptorBox] = [:]
  /// The ends of those whose other end was closed, open until what came from there is in the queue.
  fileprivate var farEnds: [UInt32: OwnedDescriptorBox] = [:]
}

extension UnixSocket {
  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    try make(detail, restoration)
    guard let box = restoration.unixSockets.made[detail.own] else {
      throw .inconsistent(.unknownDescription)
    }
    return try about(nil) { () throws(SystemCallError) in
      // O_NONBLOCK and the like
      try box.descriptor.control(4, Int(state.flags))
      return try box.descriptor.duplicate(from: 3)
    }
  }

  private static func other(
    _ number: UInt32, _ restoration: Restoration
  ) throws(CheckpointError) -> Detail {
    guard number > 0, let state = restoration.description(number - 1), state.kind == name else {
      throw .inconsistent(.unknownDescription)
    }
    let detail = try restoration.decode(Detail.self, state.detail)
    guard detail.own == number - 1 else { throw .inconsistent(.unknownDescription) }
    return detail
  }

  private static func make(_ detail: Detail, _ restoration: Restoration) throws(CheckpointError) {
    let table = restoration.unixSockets
    if table.made[detail.own] != nil { return }
    guard [1, 2, 5].contains(detail.type) else { throw .malformed(.outOfRange(1)) }
    if detail.peer != 0 {
      let peer = try other(detail.peer, restoration)
      guard peer.type == detail.type else { throw .inconsistent(.unknownDescription) }
      if peer.peer == detail.own + 1 { return try makePair(detail, peer, restoration) }
      guard detail.type == datagrams else { throw .inconsistent(.unknownDescription) }
      return try makeDatagramSocket(detail, to: peer, restoration)
    }
    if detail.isOrphan {
      let (near, far) = try pair(detail, nil, restoration)
      table.made[detail.own] = near
      table.farEnds[detail.own] = far
      return
    }
    let socket = try single(detail, restoration)
    table.made[detail.own] = socket
    try about(nil) { () throws(SystemCallError) in
      if detail.isListening {
        try socket.descriptor.listen(backlog: Int32(clamping: detail.backlog))
      }
    }
    guard detail.peerAddress.count > 2 else { return }
    do throws(SystemCallError) {
      try socket.descriptor.connect(to: detail.peerAddress)
    } catch {
      restoration.warn(
        0, "a datagram socket", "it could not be connected again to where it sent: \(error.errno)")
    }
  }

  /// With its options and name.
  private static func single(
    _ detail: Detail, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptorBox {
    let socket = try about(nil) { () throws(SystemCallError) in
      let socket = try OwnedDescriptor.makeSocket(family: family, type: detail.type, protocol: 0)
      try detail.options.set(on: socket)
      return OwnedDescriptorBox(socket)
    }
    try bind(socket, detail, restoration)
    return socket
  }

  /// Gives it its name. A file that an ended process has left there is in the way.
  private static func bind(
    _ socket: OwnedDescriptorBox, _ detail: Detail, _ restoration: Restoration
  ) throws(CheckpointError) {
    if detail.address.isEmpty { return }
    var address = detail.address
    let path = path(of: address).map { restoration.place(of: $0) }
    if let path { address = Array(address.prefix(2)) + Array(path.utf8) + [0] }
    guard address.count <= 110 else { throw .malformed(.outOfRange(5)) }
    do throws(SystemCallError) {
      if let path, try isAbandoned(path, address, type: detail.type) { try Files.unlink(path) }
      try socket.descriptor.bind(to: address)
      guard let path else { return }
      if let file = detail.file {
        try Files.setOwner(path, user: file.user, group: file.group)
        try Files.setPermissions(path, file.permissions & 0o7777)
      } else {
        try Files.unlink(path)
      }
    } catch {
      guard error.errno == .addressInUse else { throw .system(error, process: nil) }
      throw .obstacles([
        Obstacle(
          ProcessID(0), path ?? "an abstract Unix socket", "its name is in use by another process",
          remedy: "end that process first")
      ])
    }
  }

  private static func isAbandoned(
    _ path: String, _ address: [UInt8], type: Int32
  ) throws(SystemCallError) -> Bool {
    guard let found = try? OwnedDescriptor.open(path, flags: OpenFlags.pathOnly).details(),
      found.kind == .socket
    else { return false }
    let probe = try OwnedDescriptor.makeSocket(family: family, type: type, protocol: 0)
    do throws(SystemCallError) {
      try probe.connect(to: address)
      return false
    } catch {
      return error.errno == .connectionRefused
    }
  }

  private static func makePair(
    _ one: Detail, _ two: Detail, _ restoration: Restoration
  ) throws(CheckpointError) {
    let (first, second) = try pair(one, two, restoration)
    restoration.unixSockets.made[one.own] = first
    restoration.unixSockets.made[two.own] = second
  }

  /// Two that are connected. One that was accepted has its listener's name, and shares it.
  private static func pair(
    _ one: Detail, _ two: Detail?, _ restoration: Restoration
  ) throws(CheckpointError) -> (OwnedDescriptorBox, OwnedDescriptorBox) {
    if one.type == datagrams, let two, !one.address.isEmpty || !two.address.isEmpty {
      let (first, second) = (try single(one, restoration), try single(two, restoration))
      // Each must have a name to be connected to, be it for this moment.
      guard !one.address.isEmpty, !two.address.isEmpty else {
        throw .inconsistent(.unknownDescription)
      }
      try about(nil) { () throws(SystemCallError) in
        try first.descriptor.connect(to: second.descriptor.ownAddress())
        try second.descriptor.connect(to: first.descriptor.ownAddress())
      }
      return (first, second)
    }
    if !one.address.isEmpty { return try accepted(one, from: two, restoration) }
    if let two, !two.address.isEmpty {
      let (second, first) = try accepted(two, from: one, restoration)
      return (first, second)
    }
    return try about(nil) { () throws(SystemCallError) in
      let ends = try OwnedDescriptor.socketPair(family: family, type: one.type, protocol: 0)
      let first = OwnedDescriptor(owning: ends.0, name: "a Unix socket")
      let second = OwnedDescriptor(owning: ends.1, name: "a Unix socket")
      try one.options.set(on: first)
      try two?.options.set(on: second)
      return (OwnedDescriptorBox(first), OwnedDescriptorBox(second))
    }
  }

  /// Connects to the listener that has the name, or to one for this moment.
  private static func accepted(
    _ server: Detail, from client: Detail?, _ restoration: Restoration
  ) throws(CheckpointError) -> (OwnedDescriptorBox, OwnedDescriptorBox) {
    let listener = try listener(for: server, restoration)
    let plain = client ?? Detail()
    let near: OwnedDescriptorBox
    if var named = client {
      named.type = server.type
      near = try single(named, restoration)
    } else {
      near = try about(nil) { () throws(SystemCallError) in
        OwnedDescriptorBox(
          try OwnedDescriptor.makeSocket(family: family, type: server.type, protocol: 0))
      }
    }
    return try about(nil) { () throws(SystemCallError) in
      try near.descriptor.connect(to: listener.descriptor.ownAddress())
      let far = try listener.descriptor.acceptConnection()
      try server.options.set(on: far)
      if client != nil { try plain.options.set(on: near.descriptor) }
      return (OwnedDescriptorBox(far), near)
    }
  }

  private static func listener(
    for server: Detail, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptorBox {
    for state in restoration.state.descriptions where state.kind == name {
      let detail = try restoration.decode(Detail.self, state.detail)
      guard detail.isListening, detail.address == server.address, detail.type == server.type,
        detail.file != nil || path(of: detail.address) == nil
      else { continue }
      try make(detail, restoration)
      if let box = restoration.unixSockets.made[detail.own] { return box }
    }
    // A name that is gone stays so: what is bound for this moment leaves no file that was not there.
    var plain = Detail()
    plain.type = server.type
    plain.address = server.address
    plain.file = SocketFile()
    plain.file?.permissions = 0o600
    let box = try single(plain, restoration)
    try about(nil) { () throws(SystemCallError) in
      try box.descriptor.listen(backlog: 1)
    }
    return box
  }

  private static func makeDatagramSocket(
    _ detail: Detail, to peer: Detail, _ restoration: Restoration
  ) throws(CheckpointError) {
    guard !peer.address.isEmpty else { throw .inconsistent(.unknownDescription) }
    let socket = try single(detail, restoration)
    restoration.unixSockets.made[detail.own] = socket
    try make(peer, restoration)
    guard let target = restoration.unixSockets.made[peer.own] else {
      throw .inconsistent(.unknownDescription)
    }
    try about(nil) { () throws(SystemCallError) in
      try socket.descriptor.connect(to: target.descriptor.ownAddress())
    }
  }

  // MARK: Queues

  /// First all that was sent, then what was closed.
  static func fill(_ restoration: Restoration) throws(CheckpointError) {
    let table = restoration.unixSockets
    var details: [Detail] = []
    for state in restoration.state.descriptions where state.kind == name {
      details.append(try restoration.decode(Detail.self, state.detail))
    }
    for detail in details {
      for message in detail.queue { try replay(message, to: detail, restoration) }
    }
    for detail in details {
      guard let box = table.made[detail.own] else { continue }
      table.farEnds[detail.own] = nil
      try about(nil) { () throws(SystemCallError) in
        // What the other side did not do, this one did.
        if detail.shutdown & 1 != 0, !detail.isOrphan { try box.descriptor.shutDown(0) }
        if detail.shutdown & 2 != 0, !detail.isOrphan { try box.descriptor.shutDown(1) }
        if detail.peekOffset != .max {
          try box.descriptor.setOption(peekOffset, to: detail.peekOffset)
        }
      }
    }
    table.made = [:]
  }

  private static func replay(
    _ message: Message, to detail: Detail, _ restoration: Restoration
  ) throws(CheckpointError) {
    let table = restoration.unixSockets
    guard let receiver = table.made[detail.own] else { return }
    let number = message.sender != 0 ? message.sender : detail.peer
    let known = table.farEnds[detail.own] ?? (number != 0 ? table.made[number - 1] : nil)
    var control: [UInt64] = []
    if message.credentials.count == 3 {
      var words = message.credentials
      // The receiver reads the number that the sender has for it.
      if let sender = restoration.process(numbered: Int32(truncatingIfNeeded: words[0])) {
        words[0] = UInt64(UInt32(bitPattern: sender.number))
      }
      // struct cmsghdr: length, SOL_SOCKET and SCM_CREDENTIALS; then struct ucred
      control = [28, 1 | 2 << 32, words[0] | words[1] << 32, words[2]]
    }
    do throws(SystemCallError) {
      let stranger = OwnedDescriptorBox(
        try OwnedDescriptor.makeSocket(family: family, type: detail.type, protocol: 0))
      let sender = known ?? stranger
      let isConnected = known != nil && number == detail.peer || table.farEnds[detail.own] != nil
      let address = isConnected ? [] : try receiver.descriptor.ownAddress()
      let before = try sender.descriptor.number(ofOption: 7)
      let locks = try sender.descriptor.number(ofOption: 72)
      try setSendBuffer(of: sender.descriptor, 1 << 22)
      try sender.descriptor.send(message.bytes, control: control, to: address)
      try setSendBuffer(of: sender.descriptor, before / 2)
      try sender.descriptor.setOption(72, to: locks)  // SO_BUF_LOCK
    } catch {
      guard error.errno == .notPermitted, !control.isEmpty else {
        throw .system(error, process: nil)
      }
      throw .forbidden([
        Obstacle(
          ProcessID(0), "a Unix socket",
          "a message in its queue tells who sent it, and only root may say that for somebody else",
          remedy: "restore it as root")
      ])
    }
  }

  /// Past the limit for all, where that is allowed.
  private static func setSendBuffer(
    of socket: borrowing OwnedDescriptor, _ byteCount: UInt32
  ) throws(SystemCallError) {
    do throws(SystemCallError) {
      try socket.setOption(32, to: byteCount)  // SO_SNDBUFFORCE
    } catch  where error.errno == .notPermitted {
      try socket.setOption(7, to: byteCount)  // SO_SNDBUF
    }
  }
}
