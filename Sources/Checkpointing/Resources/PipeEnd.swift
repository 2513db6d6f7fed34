import BinaryCodec
import LinuxSystem
import SystemPackage

/// One end of a pipe or FIFO, with what is still in it.
enum PipeEnd: DescriptorKind {
  static let name = "pipe"

  struct Detail: FieldCoded, Equatable {
    /// Tells this pipe from others in the image.
    var pipe: UInt64 = 0
    var capacity: UInt64 = 0
    /// What was written and not read yet, in pieces; kept with one reading end, or with a writing end where
    /// nobody reads.
    private var pieces: [[UInt8]] = []
    /// Of a FIFO.
    var path = ""
    /// All the pieces are packets, or all but these.
    private var hasPackets = false
    private var streamPieces: [UInt64] = []
    /// The reading end of a FIFO to which nobody has written since it was opened.
    var isQuiet = false
    /// Whose it is, of one without a path, and who may open it by way of /proc; no permissions: it is not known.
    var user: UInt32 = 0
    var group: UInt32 = 0
    var permissions: UInt32 = 0

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &pipe)
      try coder.field(2, &capacity)
      try coder.field(3, &pieces)
      try coder.field(4, &path)
      try coder.field(5, &hasPackets)
      try coder.field(6, &isQuiet)
      try coder.field(7, &user, isOptional: true)
      try coder.field(8, &group, isOptional: true)
      try coder.field(9, &permissions, isOptional: true)
      try coder.field(10, &streamPieces)
    }

    var content: [PipePiece] {
      get {
        let streamPieces = Set(streamPieces)
        return pieces.enumerated().map { (index, bytes) in
          PipePiece(bytes, isPacket: hasPackets && !streamPieces.contains(UInt64(index)))
        }
      }
      set {
        pieces = newValue.map(\.bytes)
        hasPackets = newValue.contains(where: \.isPacket)
        streamPieces =
          hasPackets ? newValue.indices.filter { !newValue[$0].isPacket }.map { UInt64($0) } : []
      }
    }
  }

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    seen.details.kind == .pipe && seen.info.flags & OpenFlags.pathOnly == 0
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    var detail = Detail()
    let others = tree.descriptions(of: PipeEnd.self).filter { $0.seen.isSamePipe(as: seen) }
    detail.pipe = UInt64(others.first?.index ?? tree.descriptions.count)
    if seen.info.link.hasPrefix("pipe:") {
      (detail.user, detail.group) = (seen.details.user, seen.details.group)
      detail.permissions = seen.details.mode & 0o7777
    } else {
      detail.path = seen.info.link
      let named = try seen.details(at: detail.path)
      guard named?.inode == seen.details.inode, named?.device == seen.details.device else {
        throw seen.obstacle("it is a FIFO that its path does not lead to any more")
      }
    }
    detail.capacity = try about(seen.process) { () throws(SystemCallError) in
      UInt64(try seen.copy.control(F_GETPIPE_SZ))
    }
    let isKept = others.contains { $0.state.flags & OpenFlags.accessMode != OpenFlags.writeOnly }
    if seen.info.flags & OpenFlags.accessMode != OpenFlags.writeOnly, !isKept {
      detail.content = try about(seen.process) { () throws(SystemCallError) in
        try seen.copy.pipeContent(capacity: Int(detail.capacity))
      }
    }
    return detail.encoded()
  }

  /// A pipe whose other end nobody in the tree has, but somebody else, leads outside.
  static func settle(_ tree: TreeCapture) throws(CheckpointError) {
    let ends = tree.descriptions(of: PipeEnd.self)
    for end in ends {
      let same = ends.filter { $0.seen.isSamePipe(as: end.seen) }
      let mode = end.state.flags & OpenFlags.accessMode
      let hasPeer = same.contains { $0.state.flags & OpenFlags.accessMode != mode }
      if hasPeer || mode == OpenFlags.readWrite { continue }
      let mayBeExternal =
        (0...2).contains(end.seen.info.number) && end.seen.info.link.hasPrefix("pipe:")
      let (isAlone, events) = try about(end.seen.process) { () throws(SystemCallError) in
        try Self.isAlone(end.seen, mode, attempts: mayBeExternal ? 1 : 50)
      }
      // Nobody is at the other end: then it is enough that nobody will be.
      if isAlone {
        if mode == OpenFlags.writeOnly, same.first?.index == end.index {
          try takeUnreadContent(of: end.seen, end.index, tree)
        }
        let isQuiet = mode == OpenFlags.readOnly && events & PollEvents.hungUp == 0
        if isQuiet, !end.seen.info.link.hasPrefix("pipe:") {
          try mark(end.index, in: tree) { $0.isQuiet = true }
        }
        continue
      }
      try tree.noting { () throws(CheckpointError) in
        guard mayBeExternal else {
          throw end.seen.obstacle(
            "its other end is held by a process outside of the tree",
            remedy:
              "save the process that holds both ends, which is an ancestor of this one, or start it without this descriptor (in a shell: \(end.seen.info.number)>&-)"
          )
        }
        tree.replace(end.index, kind: ExternalFile.self, detail: ExternalFile.detail(of: end.seen))
      }
    }
  }

  /// What waits in a pipe that nobody has open for reading: who opens it by its path, or by way of /proc, reads it.
  private static func takeUnreadContent(
    of end: SeenDescriptor, _ index: Int, _ tree: TreeCapture
  ) throws(CheckpointError) {
    let content = try about(end.process) { () throws(SystemCallError) -> [PipePiece] in
      // Only then: to come and go as a reader wakes who waits for one.
      guard try end.copy.unreadByteCount() > 0 else { return [] }
      let capacity = Int(try end.copy.control(F_GETPIPE_SZ))
      return try OwnedDescriptor.open(
        end.copy.pathForAll, flags: OpenFlags.readOnly | OpenFlags.nonBlocking
      ).pipeContent(capacity: capacity)
    }
    try mark(index, in: tree) { $0.content = content }
  }

  /// Whether nobody holds the other end, and what has happened to this one.
  ///
  /// - Parameter attempts: whoever looks at a process, as we do, holds copies for a moment, and so does what they
  ///   start, until it has become another program.
  private static func isAlone(
    _ end: SeenDescriptor, _ mode: UInt32, attempts: Int
  ) throws(SystemCallError) -> (isAlone: Bool, events: Int16) {
    var attempts = attempts
    while true {
      let events = try end.copy.readyEvents()
      if events & PollEvents.hungUpOrFailed != 0 { return (true, events) }
      if mode == OpenFlags.readOnly, try end.copy.isPipeWithoutWriters() { return (true, events) }
      attempts -= 1
      if attempts == 0 { return (false, events) }
      Machine.sleep(seconds: 0.002)
    }
  }

  private static func mark(
    _ index: Int, in tree: TreeCapture, _ change: (inout Detail) -> Void
  ) throws(CheckpointError) {
    do throws(FieldError) {
      var detail = try Detail(decoding: tree.descriptions[index].detail[...])
      change(&detail)
      tree.replace(index, kind: PipeEnd.self, detail: detail.encoded())
    } catch {
      throw .malformed(error)
    }
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    if detail.isQuiet { return try openQuietly(detail, state, restoration) }
    let pipe = try restoration.pipe(detail.pipe, capacity: detail.capacity, path: detail.path)
    return try about(nil) { () throws(SystemCallError) in
      try pipe.fill(detail.content)
      if detail.path.isEmpty, detail.permissions != 0 {
        do throws(SystemCallError) {
          try pipe.set(user: detail.user, group: detail.group, detail.permissions)
        } catch  where error.errno == .notPermitted {
          restoration.warn(
            0, "a pipe", "it belonged to user \(detail.user), which wants CAP_CHOWN to set")
        }
      }
      // Packets can be had by fcntl(2) only. What open(2) makes has O_LARGEFILE, what pipe(2) makes has not.
      let made =
        state.flags & OpenFlags.large == 0 && detail.path.isEmpty
        ? try pipe.firstEnd(flags: state.flags)
        : try pipe.reopen(flags: state.flags & ~OpenFlags.direct)
      if state.flags & OpenFlags.direct != 0 {
        try made.control(DescriptorOwner.setFlags, Int(state.flags))
      }
      return made
    }
  }

  /// While nobody can write to it: so the kernel does not take it for one that was left by its writers.
  private static func openQuietly(
    _ detail: Detail, _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let path = restoration.place(of: detail.path)
    return try about(nil) { () throws(SystemCallError) in
      let file = try OwnedDescriptor.open(path, flags: OpenFlags.readOnly | OpenFlags.nonBlocking)
      guard try file.details().kind == .pipe else {
        throw SystemCallError(call: "open", subject: path, errno: .invalidArgument)
      }
      try file.control(F_SETPIPE_SZ, Int(clamping: min(detail.capacity, 1 << 20)))
      try file.control(DescriptorOwner.setFlags, Int(state.flags))
      return file
    }
  }

  private static let F_SETPIPE_SZ: Int32 = 1031
  private static let F_GETPIPE_SZ: Int32 = 1032
}

extension SeenDescriptor {
  fileprivate func isSamePipe(as other: SeenDescriptor) -> Bool {
    details.inode == other.details.inode && details.device == other.details.device
  }
}

extension PipeEnd {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    guard let detail = try? Detail(decoding: state.detail[...]) else { return nil }
    let mode = state.flags & OpenFlags.accessMode
    let side =
      mode == OpenFlags.readOnly ? "is read" : mode == OpenFlags.writeOnly ? "is written" : "both"
    let count = detail.content.reduce(0) { $0 + $1.bytes.count }
    // A pipe has the number of the first of its ends.
    let other = checkpoint.descriptionIndex(from: Int(clamping: detail.pipe)) { other in
      guard other.kind == name, other.flags & OpenFlags.accessMode != mode else { return false }
      return (try? Detail(decoding: other.detail[...]))?.pipe == detail.pipe
    }
    return (detail.path.isEmpty ? "pipe:[\(detail.pipe)]" : detail.path) + ", \(side)"
      + (count > 0 ? ", \(count) bytes in it" : "")
      + (other.flatMap(checkpoint.holder).map { ", other end: \($0)" } ?? "")
  }
}
