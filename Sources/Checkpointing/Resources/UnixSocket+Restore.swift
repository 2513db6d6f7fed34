import BinaryCodec
import LinuxSystem
import SystemPackage

/// The Unix sockets of a tree while it is brought back: to make one may take making another.
final class UnixSocketTable {
  /// All of the image; none before the first is made.
  fileprivate var details: [UnixSocket.Detail] = []
  fileprivate var made: [UInt32: OwnedDescriptorBox] = [:]
  /// The ends of those whose other end was closed, open until what came from there is in the queue.
  fileprivate var farEnds: [UInt32: OwnedDescriptorBox] = [:]
  let names = UnixSocketNames()
  /// To whom each is connected by now.
  fileprivate var connected: [UInt32: UInt32] = [:]
  /// How many of the messages in its queue were there before it was connected; of those that were not made in pairs.
  fileprivate var queued: [UInt32: Int] = [:]
}

extension UnixSocket {
  /// Other ends are told who made them: some process of the tree.
  static var needsProcesses: Bool { true }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    try makeAll(restoration)
    let detail = try restoration.decode(Detail.self, state.detail)
    guard let box = restoration.unixSockets.made[detail.own] else {
      throw .inconsistent(.unknownDescription)
    }
    return try about(nil) { () throws(SystemCallError) in
      // O_NONBLOCK and the like
      try box.descriptor.control(4, Int(state.flags))
      return try box.descriptor.duplicate(from: 3)
    }
  }

  /// Makes all that there are.
  static func makeAll(_ restoration: Restoration) throws(CheckpointError) {
    let table = restoration.unixSockets
    if !table.details.isEmpty { return }
    var details: [Detail] = []
    for (index, state) in restoration.state.descriptions.enumerated() where state.kind == name {
      let detail = try restoration.decode(Detail.self, state.detail)
      guard detail.own == index else { throw .inconsistent(.unknownDescription) }
      details.append(detail)
    }
    table.details = details
    table.names.areShared = details.contains { $0.hasLostItsPath || !$0.presentPath.isEmpty }
    for detail in details { try make(detail, restoration) }
    try placeFiles(restoration)
    try connectDatagramSockets(details, restoration)
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
      if detail.isConnectedLater(to: peer) {
        guard !peer.address.isEmpty else { throw .inconsistent(.unknownDescription) }
        table.made[detail.own] = try single(detail, restoration)
        return
      }
      guard peer.peer == detail.own + 1 else { throw .inconsistent(.unknownDescription) }
      return try makePair(detail, peer, restoration)
    }
    if detail.isOrphan {
      let (near, far) = try pair(detail, nil, restoration)
      table.made[detail.own] = near
      table.farEnds[detail.own] = far
      return
    }
    let socket = try single(detail, restoration)
    table.made[detail.own] = socket
    if detail.isListening { try listen(socket, detail, restoration) }
    guard detail.peerAddress.count > 2 else { return }
    var peerAddress = detail.peerAddress
    if let path = path(of: peerAddress).map({ restoration.place(of: $0) }) {
      peerAddress = Array(peerAddress.prefix(2)) + path.pathBytes + [0]
    }
    guard peerAddress.count <= 110 else { throw .malformed(.outOfRange(7)) }
    do throws(SystemCallError) {
      try socket.descriptor.connect(to: peerAddress)
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
      OwnedDescriptorBox(
        try OwnedDescriptor.makeSocket(family: family, type: detail.type, protocol: 0))
    }
    try finish(socket, detail, restoration)
    return socket
  }

  private static func finish(
    _ socket: OwnedDescriptorBox, _ detail: Detail, _ restoration: Restoration
  ) throws(CheckpointError) {
    try about(nil) { () throws(SystemCallError) in try detail.options.set(on: socket.descriptor) }
    try bind(socket, detail, restoration)
  }

  // MARK: What the other end is told

  private static func listen(
    _ socket: OwnedDescriptorBox, _ detail: Detail, _ restoration: Restoration
  ) throws(CheckpointError) {
    let backlog = Int32(clamping: detail.backlog)
    guard let maker = detail.maker, let standIns = restoration.standIns else {
      return try about(nil) { () throws(SystemCallError) in
        try socket.descriptor.listen(backlog: backlog)
      }
    }
    try standIns.perform(as: maker) { (process) throws(CheckpointError) in
      let number = try process.receive(socket.descriptor)
      try process.call(.listen, "listen", number, UInt64(UInt32(bitPattern: backlog)))
      try process.call(.close, "close", number)
    }
  }

  private static func connect(
    _ socket: OwnedDescriptorBox, to place: Place, as maker: PeerIdentity?,
    _ restoration: Restoration
  ) throws(CheckpointError) {
    guard let maker, let standIns = restoration.standIns else {
      return try about(nil) { () throws(SystemCallError) in
        try socket.descriptor.connect(to: place.address)
      }
    }
    try standIns.perform(as: maker) { (process) throws(CheckpointError) in
      let number = try process.receive(socket.descriptor)
      let base = try place.base.map { (base) throws(CheckpointError) in
        try process.receive(base.descriptor)
      }
      let address = place.address(base: base.map { "/proc/self/fd/\($0)" })
      try process.call(
        .connect, "connect", number, try process.put(address), UInt64(address.count))
      if let base { try process.call(.close, "close", base) }
      try process.call(.close, "close", number)
    }
  }

  private static func socketPair(
    _ type: Int32, as maker: PeerIdentity?, _ restoration: Restoration
  ) throws(CheckpointError) -> (OwnedDescriptorBox, OwnedDescriptorBox) {
    guard let maker, let standIns = restoration.standIns else {
      let ends = try about(nil) { () throws(SystemCallError) in
        try OwnedDescriptor.socketPair(family: family, type: type, protocol: 0)
      }
      return (
        OwnedDescriptorBox(OwnedDescriptor(owning: ends.0, name: "a Unix socket")),
        OwnedDescriptorBox(OwnedDescriptor(owning: ends.1, name: "a Unix socket"))
      )
    }
    return try standIns.perform(as: maker) { (process) throws(CheckpointError) in
      try process.call(
        .socketpair, "socketpair", UInt64(family), UInt64(type) | ProcessBuilder.closeOnExec, 0,
        process.injector.argumentAddress)
      let bytes = try inside(process.id) { () throws(InjectionError) in
        try process.injector.get(8)
      }
      let numbers = [0, 4].map { start in
        bytes[start..<start + 4].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      }
      return (
        OwnedDescriptorBox(try process.surrender(numbers[0])),
        OwnedDescriptorBox(try process.surrender(numbers[1]))
      )
    }
  }

  // MARK: Pairs

  private static func makePair(
    _ one: Detail, _ two: Detail, _ restoration: Restoration
  ) throws(CheckpointError) {
    let (first, second) = try pair(one, two, restoration)
    restoration.unixSockets.made[one.own] = first
    restoration.unixSockets.made[two.own] = second
    restoration.unixSockets.connected[one.own] = two.own
    restoration.unixSockets.connected[two.own] = one.own
  }

  /// Two that are connected. One that was accepted has its listener's name, and shares it.
  private static func pair(
    _ one: Detail, _ two: Detail?, _ restoration: Restoration
  ) throws(CheckpointError) -> (OwnedDescriptorBox, OwnedDescriptorBox) {
    if one.type == datagrams {
      return try datagramPair(one, two, restoration)
    }
    // Where both have names, one has that of a listener, or nobody can tell who was accepted.
    if let two, !two.address.isEmpty,
      one.address.isEmpty || wasAccepted(two, from: one, restoration)
    {
      let (second, first) = try accepted(two, from: one, restoration)
      return (first, second)
    }
    if !one.address.isEmpty { return try accepted(one, from: two, restoration) }
    let (first, second) = try socketPair(one.type, as: one.maker, restoration)
    try about(nil) { () throws(SystemCallError) in
      try one.options.set(on: first.descriptor)
      try two?.options.set(on: second.descriptor)
    }
    return (first, second)
  }

  /// A pair from the beginning, which may have got names since.
  private static func datagramPair(
    _ one: Detail, _ two: Detail?, _ restoration: Restoration
  ) throws(CheckpointError) -> (OwnedDescriptorBox, OwnedDescriptorBox) {
    let (first, second) = try socketPair(one.type, as: one.maker, restoration)
    try finish(first, one, restoration)
    if let two { try finish(second, two, restoration) }
    return (first, second)
  }

  /// Connects to the listener that has the name, or to one for this moment.
  private static func accepted(
    _ server: Detail, from client: Detail?, _ restoration: Restoration
  ) throws(CheckpointError) -> (OwnedDescriptorBox, OwnedDescriptorBox) {
    let (listener, name) = try listener(for: server, client, restoration)
    let near: OwnedDescriptorBox
    if let client {
      near = try single(client, restoration)
    } else {
      near = try about(nil) { () throws(SystemCallError) in
        OwnedDescriptorBox(
          try OwnedDescriptor.makeSocket(family: family, type: server.type, protocol: 0))
      }
    }
    try connect(near, to: try place(of: name, restoration), as: server.maker, restoration)
    let far = try about(nil) { () throws(SystemCallError) in
      let far = try listener.descriptor.acceptConnection()
      try server.options.set(on: far)
      return OwnedDescriptorBox(far)
    }
    return (far, near)
  }

  /// Whether it was accepted, of two that have names: it shares its name then, with a listener, or with others that
  /// a listener made which is gone. Who had none to connect with was perhaps given one by the kernel.
  private static func wasAccepted(
    _ server: Detail, from client: Detail, _ restoration: Restoration
  ) -> Bool {
    restoration.unixSockets.details.contains { $0.own != server.own && $0.sharesName(with: server) }
      || client.isNamedByKernel && !server.isNamedByKernel
  }

  /// The listener of the image that has the name of what was accepted.
  private static func knownListener(
    for server: Detail, _ restoration: Restoration
  ) -> Detail? {
    if server.hasLostItsPath { return nil }
    return restoration.unixSockets.details.first { $0.isListening && $0.sharesName(with: server) }
  }

  /// A listener of the image, or one for this moment: where a path led to a listener that is gone, it still
  /// leads to its file.
  private static func listener(
    for server: Detail, _ client: Detail?, _ restoration: Restoration
  ) throws(CheckpointError) -> (OwnedDescriptorBox, named: Detail) {
    if let detail = knownListener(for: server, restoration) {
      try make(detail, restoration)
      guard let box = restoration.unixSockets.made[detail.own] else {
        throw .inconsistent(.unknownDescription)
      }
      if let client, client.maker != detail.maker {
        restoration.warn(
          0, "a Unix socket", "its other end is told who listens now, and not who did then")
      }
      return (box, detail)
    }
    var plain = Detail()
    plain.own = server.own
    plain.type = server.type
    plain.address = server.address
    plain.folder = server.folder
    plain.presentPath = server.presentPath
    plain.isListening = true
    plain.backlog = 1
    plain.maker = client?.maker
    plain.options.user = server.options.user
    plain.options.group = server.options.group
    plain.file = server.file
    let box = try single(plain, restoration)
    try listen(box, plain, restoration)
    return (box, plain)
  }

  // MARK: Datagrams to one side

  /// Connects those that were connected by a name. Nobody but its peer may connect or send to one that is connected
  /// (unix_may_send in net/unix/af_unix.c): so first come all that are connected to it, and what others sent it.
  private static func connectDatagramSockets(
    _ details: [Detail], _ restoration: Restoration
  ) throws(CheckpointError) {
    let table = restoration.unixSockets
    var peers: [UInt32: Detail] = [:]
    var awaited: [UInt32: Int] = [:]
    for detail in details where detail.peer != 0 {
      let peer = try other(detail.peer, restoration)
      guard detail.isConnectedLater(to: peer) else { continue }
      peers[detail.own] = peer
      // Two that are connected to each other do not wait, and neither does one for itself.
      if peer.peer != detail.own + 1 { awaited[peer.own, default: 0] += 1 }
    }
    var ready = details.filter { peers[$0.own] != nil && awaited[$0.own] == nil }
    while let detail = ready.popLast() {
      guard let peer = peers.removeValue(forKey: detail.own), let socket = table.made[detail.own]
      else { continue }
      let early = detail.queue.lastIndex { $0.sender != detail.peer }.map { $0 + 1 } ?? 0
      table.queued[detail.own] = early
      for message in detail.queue[..<early] { try replay(message, to: detail, restoration) }
      try connect(socket, to: try place(of: peer, restoration), as: nil, restoration)
      table.connected[detail.own] = peer.own
      guard peer.peer != detail.own + 1, let others = awaited[peer.own] else { continue }
      awaited[peer.own] = others - 1
      if others == 1, peers[peer.own] != nil { ready.append(peer) }
    }
    guard peers.isEmpty else { throw .inconsistent(.unknownDescription) }
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
      for message in detail.queue.dropFirst(table.queued[detail.own] ?? 0) {
        try replay(message, to: detail, restoration)
      }
    }
    for detail in details {
      guard let box = table.made[detail.own] else { continue }
      if detail.wasReset {
        // Who closes what it has not read resets the other side.
        try about(nil) { () throws(SystemCallError) in try box.descriptor.send([0]) }
      }
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
    table.names.close()
  }

  static func finish(
    _ state: DescriptionState, _ file: borrowing OwnedDescriptor, _ restoration: Restoration
  ) throws(CheckpointError) {
    let detail = try restoration.decode(Detail.self, state.detail)
    do throws(SystemCallError) {
      try detail.options.attachFilter(to: file)
    } catch {
      throw .system(error, process: nil)
    }
  }

  private static func replay(
    _ message: Message, to detail: Detail, _ restoration: Restoration
  ) throws(CheckpointError) {
    let table = restoration.unixSockets
    guard let receiver = table.made[detail.own] else { return }
    // Of a pair, the other end may have no name; who was connected to has one.
    let isInPair = table.queued[detail.own] == nil
    let number = message.sender != 0 || !isInPair ? message.sender : detail.peer
    let known = table.farEnds[detail.own] ?? (number != 0 ? table.made[number - 1] : nil)
    var control: [UInt64] = []
    if message.credentials.count == 3, message.credentials[0] != 0 {
      var words = message.credentials
      // The number that the sender has for us.
      if let sender = try restoration.standIns?.require(Int32(truncatingIfNeeded: words[0])) {
        words[0] = UInt64(UInt32(bitPattern: sender.number))
      }
      // struct cmsghdr: length, SOL_SOCKET and SCM_CREDENTIALS; then struct ucred
      control = [28, 1 | 2 << 32, words[0] | words[1] << 32, words[2]]
    }
    let place = try place(of: detail, restoration)
    let isAnonymous = message.credentials.count == 3 && control.isEmpty
    do throws(SystemCallError) {
      let stranger = OwnedDescriptorBox(
        try OwnedDescriptor.makeSocket(family: family, type: detail.type, protocol: 0))
      let sender = known ?? stranger
      let isConnected =
        table.farEnds[detail.own] != nil
        || known != nil && table.connected[number - 1] == detail.own
      let address =
        isConnected
        ? [] : place.address.isEmpty ? try receiver.descriptor.ownAddress() : place.address
      // It came when nobody asked who sent it.
      let asked = try receiver.descriptor.number(ofOption: passCredentials)
      let askedToo = try sender.descriptor.number(ofOption: passCredentials)
      if isAnonymous {
        try receiver.descriptor.setOption(passCredentials, to: 0)
        try sender.descriptor.setOption(passCredentials, to: 0)
      }
      let before = try SocketOptions.makeRoom(to: sender.descriptor)
      try sender.descriptor.send(message.bytes, control: control, to: address)
      try SocketOptions.settle(sender.descriptor, before)
      if isAnonymous {
        try receiver.descriptor.setOption(passCredentials, to: asked)
        try sender.descriptor.setOption(passCredentials, to: askedToo)
      }
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
}

extension UnixSocket.Detail {
  /// Its name is a path that does not lead to it any more.
  var hasLostItsPath: Bool { file == nil && UnixSocket.path(of: address) != nil }

  fileprivate func sharesName(with other: Self) -> Bool {
    type == other.type && address == other.address && folder == other.folder
      && presentPath == other.presentPath && hasLostItsPath == other.hasLostItsPath
  }

  /// As unix_autobind does it: abstract, five hexadecimal digits.
  fileprivate var isNamedByKernel: Bool {
    address.count == 8 && address[2] == 0
      && address[3...].allSatisfy { Character(UnicodeScalar($0)).isHexDigit }
  }

  /// Whether it was connected to a name, and not made together with its peer: of those, nobody is noted as the maker.
  fileprivate func isConnectedLater(to peer: Self) -> Bool {
    guard type == UnixSocket.datagrams else { return false }
    return peer.peer != own + 1 || peer.own == own
      || (maker == nil || peer.maker == nil) && !address.isEmpty && !peer.address.isEmpty
  }
}
