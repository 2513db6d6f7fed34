import BinaryCodec
import LinuxSystem
import SystemPackage

extension UnixSocket {
  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    var detail = Detail()
    detail.own = UInt32(tree.descriptions.count)
    detail.options = try SocketOptions(
      of: seen, [(1, SocketOptions.general + [passCredentials])])
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
      let address = try seen.copy.ownAddress()
      if address.count > 2 { detail.address = address }
      if !detail.isListening { detail.peerAddress = try seen.copy.peerAddress() ?? [] }
    }
    if detail.isListening && diagnosis.waitingConnections > 0 {
      throw seen.passingObstacle("connections wait to be accepted")
    }
    detail.file = try file(of: detail.address, seen)
    if !detail.isListening { try takeQueue(of: seen, &detail, tree) }
    return detail.encoded()
  }

  /// The file that leads to a socket with a path; nil if none does any more.
  private static func file(
    of address: [UInt8], _ seen: SeenDescriptor
  ) throws(CheckpointError) -> SocketFile? {
    guard let path = path(of: address) else { return nil }
    guard path.hasPrefix("/") else {
      throw seen.obstacle("it is bound to the relative path \(path)")
    }
    guard let found = try? OwnedDescriptor.open(path, flags: OpenFlags.pathOnly).details(),
      found.kind == .socket
    else { return nil }
    var file = SocketFile()
    (file.permissions, file.user, file.group) = (found.permissions, found.user, found.group)
    return file
  }

  /// nil for abstract names and none.
  static func path(of address: [UInt8]) -> String? {
    guard address.count > 2, address[2] != 0 else { return nil }
    return String(decoding: address.dropFirst(2).prefix { $0 != 0 }, as: UTF8.self)
  }

  private static func takeQueue(
    of seen: SeenDescriptor, _ detail: inout Detail, _ tree: TreeCapture
  ) throws(CheckpointError) {
    var queue: [Message] = []
    var reason: String?
    let before = detail.peekOffset
    try about(seen.process) { () throws(SystemCallError) in
      try seen.copy.setOption(peekOffset, to: 0)
      var failure: SystemCallError?
      do throws(SystemCallError) {
        while let next = try seen.copy.peekMessage(limit: 1 << 20) {
          // The end of a stream, or of what may be received.
          if next.byteCount == 0 && (detail.type != datagrams || detail.shutdown & 1 != 0) { break }
          if !next.takeDescriptors().isEmpty {
            reason = "a message in its queue carries descriptors"
          }
          if next.byteCount > next.bytes.count { reason = "a message in its queue is too large" }
          if reason != nil { break }
          var message = Message()
          message.bytes = next.bytes
          message.address = next.address.count > 2 ? next.address : []
          if let sender = next.sender {
            message.credentials = [
              UInt64(UInt32(bitPattern: tree.numbers.number(sender.process))), UInt64(sender.user),
              UInt64(sender.group),
            ]
          }
          queue.append(message)
          if detail.type == datagrams && next.byteCount == 0 { break }
        }
      } catch {
        failure = error
      }
      try seen.copy.setOption(peekOffset, to: before)
      // Not connected yet: nothing can have come.
      if let failure, failure.errno != .socketNotConnected, failure.errno != .invalidArgument,
        failure.errno != .connectionReset
      {
        throw failure
      }
    }
    if let reason { throw seen.passingObstacle(reason) }
    detail.queue = queue
  }

  /// Finds out who is at the other ends.
  static func settle(_ tree: TreeCapture) throws(CheckpointError) {
    let sockets = tree.descriptions(of: UnixSocket.self)
    for socket in sockets {
      try tree.noting { () throws(CheckpointError) in
        var detail = try decode(socket.state.detail)
        let diagnosis = try about(socket.seen.process) { () throws(SystemCallError) in
          try UnixSocketDiagnosis(inode: socket.seen.details.inode)
        }
        let peer = UInt64(diagnosis?.peer ?? 0)
        let other = sockets.first { peer != 0 && $0.seen.details.inode == peer }
        if let other {
          detail.peer = UInt32(other.index) + 1
          detail.peerAddress = []
        } else if peer != 0 {
          // Datagrams go to a name, and whoever has it then.
          guard detail.type == datagrams, detail.peerAddress.count > 2 else {
            return try leaveOutside(socket.index, socket.seen, tree)
          }
        } else if detail.type != datagrams && !detail.isListening && detail.shutdown == 3 {
          detail.isOrphan = true
          detail.peerAddress = []
        } else {
          detail.peerAddress = []
        }
        for index in detail.queue.indices where !detail.queue[index].address.isEmpty {
          let address = detail.queue[index].address
          guard detail.type == datagrams else { continue }
          for sender in sockets where try decode(sender.state.detail).address == address {
            detail.queue[index].sender = UInt32(sender.index) + 1
          }
          if detail.queue[index].sender == 0 {
            throw socket.seen.obstacle("a message in its queue came from outside of the tree")
          }
        }
        tree.replace(socket.index, kind: UnixSocket.self, detail: detail.encoded())
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
