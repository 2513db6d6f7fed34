import BinaryCodec
import LinuxSystem
import SystemPackage

extension UnixSocket {
  /// Besides those of all: REUSEADDR, PASSCRED, PASSPIDFD, PASSRIGHTS, INQ.
  private static let options: [(level: Int32, numbers: [Int32])] = [
    (1, SocketOptions.general + [2, passCredentials, 76, 83, 84])
  ]

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    var detail = Detail()
    detail.own = UInt32(tree.descriptions.count)
    detail.options = try SocketOptions(of: seen, options)
    let diagnosis = try about(seen.process) { () throws(SystemCallError) in
      try UnixSocketDiagnosis(inode: seen.details.inode)
    }
    guard let diagnosis else {
      throw seen.obstacle(
        "this kernel does not tell what it is connected to", remedy: "load the module unix_diag")
    }
    detail.shutdown = diagnosis.shutdown
    try about(seen.process) { () throws(SystemCallError) in
      detail.type = Int32(bitPattern: try seen.copy.number(ofOption: 3))
      detail.isListening = try seen.copy.number(ofOption: 30) != 0
      detail.backlog = diagnosis.queueLimit
      detail.peekOffset = try seen.copy.number(ofOption: peekOffset)
      detail.maker = try seen.copy.peerIdentity().map {
        $0.known(as: tree.numbers.number($0.process))
      }
      let address = try seen.copy.ownAddress()
      if address.count > 2 { detail.address = address }
      if !detail.isListening { detail.peerAddress = try seen.copy.peerAddress() ?? [] }
    }
    if detail.isListening && diagnosis.waitingConnections > 0 {
      throw seen.passingObstacle("connections wait to be accepted")
    }
    if let path = path(of: detail.address) {
      if path.hasPrefix("/") {
        detail.file = file(at: path, diagnosis)
        if detail.file == nil, let moved = presentPath(of: seen, path, diagnosis),
          let file = file(at: moved, diagnosis)
        {
          (detail.presentPath, detail.file) = (moved, file)
        }
      } else {
        (detail.folder, detail.file) = try place(ofRelative: path, diagnosis, seen, tree)
      }
    }
    if !detail.isListening {
      try lookAtErrors(of: seen, &detail)
      try takeQueue(of: seen, &detail, tree)
    }
    return detail.encoded()
  }

  /// The file that leads to a socket with a path; nil if none does any more.
  private static func file(at path: String, _ diagnosis: UnixSocketDiagnosis) -> SocketFile? {
    guard let file = try? OwnedDescriptor.open(path, flags: OpenFlags.pathOnly),
      let found = try? file.details(), found.kind == .socket
    else { return nil }
    // Another may have been put in its place. An overlay has inodes of its own.
    if let inode = diagnosis.fileInode, inode != UInt32(truncatingIfNeeded: found.inode),
      (try? file.filesystemType()) != overlay
    {
      return nil
    }
    var place = SocketFile()
    (place.permissions, place.user, place.group) = (found.permissions, found.user, found.group)
    return place
  }

  /// Where the file of a socket is that has another path now than its name; nil if it has none any more. Who may not
  /// ask for it looks for it in its folder.
  private static func presentPath(
    of seen: SeenDescriptor, _ path: String, _ diagnosis: UnixSocketDiagnosis
  ) -> String? {
    if let file = try? seen.copy.socketFile() {
      guard let details = try? file.details(), details.linkCount > 0 else { return nil }
      return try? file.presentPath()
    }
    guard diagnosis.fileInode != nil, let end = path.lastIndex(of: "/"),
      case let folder = String(path[...end]), let names = try? Files.list(folder)
    else { return nil }
    return names.map { folder + $0 }.first { path in
      let found = try? OwnedDescriptor.open(path, flags: OpenFlags.pathOnly).details()
      return found?.kind == .socket
        && found.map { UInt32(truncatingIfNeeded: $0.inode) } == diagnosis.fileInode
    }
  }

  /// The kernel tells the name that was given, and not from where: some process of the tree still works there.
  private static func place(
    ofRelative path: String, _ diagnosis: UnixSocketDiagnosis, _ seen: SeenDescriptor,
    _ tree: TreeCapture
  ) throws(CheckpointError) -> (folder: String, SocketFile) {
    let folders = tree.captures.map(\.result.workingDirectory).filter { $0.hasPrefix("/") }
    for folder in Set(folders).sorted() where diagnosis.fileInode != nil {
      guard let file = file(at: "\(folder)/\(path)", diagnosis) else { continue }
      let count = path.pathBytes.count
      guard folder.pathBytes.count + count < limit || count <= shortLimit else {
        throw seen.obstacle(
          "it is bound to the relative path \(path), which is too long to be reached from elsewhere",
          remedy: "have the program bind a shorter one")
      }
      return (folder, file)
    }
    throw seen.obstacle(
      "it is bound to the relative path \(path), which leads to it from no folder that the tree works in",
      remedy: "have the program bind an absolute one")
  }

  /// What sun_path has room for, with `/` and the end of the text; and behind a path as short as any.
  private static let limit = 107
  private static let shortLimit = 75

  /// OVERLAYFS_SUPER_MAGIC
  private static let overlay: UInt64 = 0x794c_7630

  /// nil for abstract names and none.
  static func path(of address: [UInt8]) -> String? {
    guard address.count > 2, address[2] != 0 else { return nil }
    return String(pathBytes: address.dropFirst(2).prefix { $0 != 0 })
  }

  /// What would be told once, and must not be told to us.
  private static func lookAtErrors(
    of seen: SeenDescriptor, _ detail: inout Detail
  ) throws(CheckpointError) {
    let (events, unread) = try about(seen.process) { () throws(SystemCallError) in
      (try seen.copy.readyEvents(PollEvents.urgent), try seen.copy.unreadByteCount())
    }
    if events & PollEvents.urgent != 0 {
      throw seen.passingObstacle("a byte waits in it that was sent out of band")
    }
    if events & PollEvents.failed == 0 { return }
    // The end of the other one, before it had read everything: told as ECONNRESET.
    guard detail.type != datagrams, detail.shutdown == 3, detail.type == stream || unread == 0
    else { throw seen.passingObstacle("an error waits to be told") }
    detail.wasReset = true
  }

  private static func takeQueue(
    of seen: SeenDescriptor, _ detail: inout Detail, _ tree: TreeCapture
  ) throws(CheckpointError) {
    var queue: [Message] = []
    var reason: String?
    let before = detail.peekOffset
    let (type, isEnded) = (detail.type, detail.shutdown & 1 != 0)
    // When nothing comes any more, only what comes along tells an empty message from the end.
    let marksMessages = type == packets && isEnded
    try about(seen.process) { () throws(SystemCallError) in
      let limit = type == stream ? try seen.copy.unreadByteCount() : .max
      if detail.wasReset && limit == 0 || detail.wasReset && type != stream { return }
      let asked = try seen.copy.number(ofOption: passCredentials)
      if marksMessages { try seen.copy.setOption(passCredentials, to: 1) }
      try seen.copy.setOption(peekOffset, to: 0)
      var failure: SystemCallError?
      var count = 0
      do throws(SystemCallError) {
        var room = [UInt8](repeating: 0, count: min(limit, 1 << 20))
        while count < limit, let next = try seen.copy.peekMessage(into: &room) {
          if next.byteCount == 0 && type == stream { break }
          if next.byteCount == 0 && isEnded && next.control.isEmpty { break }
          count += next.byteCount
          if !next.takeDescriptors().isEmpty {
            reason = "a message in its queue carries descriptors"
          }
          if next.byteCount > next.bytes.count { reason = "a message in its queue is too large" }
          if reason != nil { break }
          queue.append(message(next, withSender: asked != 0, tree))
        }
      } catch {
        failure = error
      }
      try seen.copy.setOption(peekOffset, to: before)
      if marksMessages { try seen.copy.setOption(passCredentials, to: asked) }
      // Not connected yet: nothing can have come.
      if let failure, failure.errno != .socketNotConnected, failure.errno != .invalidArgument {
        throw failure
      }
    }
    if let reason { throw seen.passingObstacle(reason) }
    detail.queue = queue
  }

  private static func message(
    _ next: PeekedMessage, withSender: Bool, _ tree: TreeCapture
  ) -> Message {
    var message = Message()
    message.bytes = next.bytes
    message.address = next.address.count > 2 ? next.address : []
    if withSender, let sender = next.sender {
      message.credentials = [
        UInt64(UInt32(bitPattern: tree.numbers.number(sender.process))), UInt64(sender.user),
        UInt64(sender.group),
      ]
    }
    return message
  }

  // MARK: Other ends

  /// Finds out who is at the other ends.
  static func settle(_ tree: TreeCapture) throws(CheckpointError) {
    let sockets = tree.descriptions(of: UnixSocket.self)
    let byInode = Dictionary(
      sockets.map { ($0.seen.details.inode, $0) }, uniquingKeysWith: { first, _ in first })
    for socket in sockets {
      try tree.noting { () throws(CheckpointError) in
        var detail = try decode(socket.state.detail)
        let diagnosis = try about(socket.seen.process) { () throws(SystemCallError) in
          try UnixSocketDiagnosis(inode: socket.seen.details.inode)
        }
        let peer = UInt64(diagnosis?.peer ?? 0)
        let isConnected = !detail.peerAddress.isEmpty
        let other = peer != 0 ? byInode[peer] : nil
        if let other {
          detail.peer = UInt32(other.index) + 1
          detail.peerAddress = []
        } else if tree.refused.contains(peer) {
          return
        } else if peer != 0 {
          // Datagrams go to a name, and whoever has it then.
          guard detail.type == datagrams, detail.peerAddress.count > 2 else {
            return try leaveOutside(socket.index, socket.seen, tree)
          }
          if let path = path(of: detail.peerAddress), !path.hasPrefix("/") {
            throw socket.seen.obstacle(
              "it sends to the relative path \(path) of a process outside of the tree",
              remedy: "have the program connect to an absolute one")
          }
        } else {
          detail.isOrphan =
            detail.type == datagrams
            ? isConnected : !detail.isListening && detail.shutdown == 3
          if detail.type != datagrams && isConnected && !detail.isOrphan {
            throw socket.seen.passingObstacle("nobody has accepted its connection yet")
          }
          detail.peerAddress = []
        }
        try findSenders(socket.seen, &detail, sockets)
        tree.replace(socket.index, kind: UnixSocket.self, detail: detail.encoded())
      }
    }
    try checkDirections(tree)
  }

  /// Who sent each datagram that waits.
  private static func findSenders(
    _ seen: SeenDescriptor, _ detail: inout Detail,
    _ sockets: [(index: Int, seen: SeenDescriptor, state: DescriptionState)]
  ) throws(CheckpointError) {
    guard detail.type == datagrams else { return }
    for index in detail.queue.indices where !detail.queue[index].address.isEmpty {
      for sender in sockets
      where try decode(sender.state.detail).address == detail.queue[index].address {
        detail.queue[index].sender = UInt32(sender.index) + 1
      }
      if detail.queue[index].sender == 0 {
        throw seen.passingObstacle(
          "a message in its queue came from outside of the tree, or from a socket that is closed by now"
        )
      }
    }
  }

  /// Only what has a name can be sent to from one side.
  private static func checkDirections(_ tree: TreeCapture) throws(CheckpointError) {
    for socket in tree.descriptions(of: UnixSocket.self) {
      try tree.noting { () throws(CheckpointError) in
        let detail = try decode(socket.state.detail)
        for message in detail.queue where message.sender != 0 && detail.address.isEmpty {
          let sender = try decode(tree.descriptions[Int(message.sender - 1)].detail)
          if sender.peer != detail.own + 1 {
            throw socket.seen.passingObstacle(
              "a message in its queue came from the other end of its pair, which is connected elsewhere by now"
            )
          }
        }
        guard detail.type == datagrams, detail.peer != 0, detail.peer != detail.own + 1 else {
          return
        }
        let peer = try decode(tree.descriptions[Int(detail.peer - 1)].detail)
        if peer.peer != detail.own + 1, peer.address.isEmpty {
          throw socket.seen.obstacle(
            "it was one of a pair, and sends to the other, which is connected elsewhere by now")
        }
      }
    }
  }

  private static func leaveOutside(
    _ index: Int, _ seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) {
    guard (0...2).contains(seen.info.number) else {
      throw seen.obstacle(
        "it is connected to a process outside of the tree",
        remedy: "save that process too, or let the program close the connection first")
    }
    tree.replace(index, kind: ExternalFile.self, detail: ExternalFile.detail(of: seen))
  }
}
