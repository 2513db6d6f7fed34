import BinaryCodec
import LinuxSystem

/// One end of a pipe, with what is still in it.
enum PipeEnd: DescriptorKind {
  static let name = "pipe"

  struct Detail: FieldCoded, Equatable {
    /// Tells this pipe from others in the image.
    var pipe: UInt64 = 0
    var capacity: UInt64 = 0
    /// What was written and not read yet; kept with the reading end.
    var content: [UInt8] = []

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &pipe)
      try coder.field(2, &capacity)
      try coder.field(3, &content)
    }
  }

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    seen.details.kind == .pipe && seen.info.link.hasPrefix("pipe:")
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    var detail = Detail()
    detail.pipe = seen.details.inode
    detail.capacity = try about(seen.process) { () throws(SystemCallError) in
      UInt64(try seen.copy.control(F_GETPIPE_SZ))
    }
    if seen.info.flags & 3 != Self.writeOnly {
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
      let mode = end.state.flags & 3
      let hasPeer = ends.contains {
        $0.seen.details.inode == end.seen.details.inode && $0.state.flags & 3 != mode
      }
      if hasPeer || mode == Self.readAndWrite { continue }
      let events = try about(end.seen.process) { () throws(SystemCallError) in
        try end.seen.copy.readyEvents()
      }
      // Nobody is at the other end any more: then it is enough that nobody will be.
      if events & Self.hangupOrError != 0 { continue }
      try tree.noting { () throws(CheckpointError) in
        guard (0...2).contains(end.seen.info.number) else {
          throw end.seen.obstacle(
            "its other end is held by a process outside of the tree",
            remedy: "save the process that holds both ends, which is an ancestor of this one")
        }
        tree.replace(end.index, kind: ExternalFile.self, detail: ExternalFile.detail(of: end.seen))
      }
    }
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    let pipe = try restoration.pipe(detail.pipe, capacity: detail.capacity)
    return try about(nil) { () throws(SystemCallError) in
      if !detail.content.isEmpty { try pipe.fill(detail.content) }
      return try pipe.reopen(flags: state.flags)
    }
  }

  private static let F_GETPIPE_SZ: Int32 = 1032
  /// O_WRONLY, O_RDWR
  private static let writeOnly: UInt32 = 1, readAndWrite: UInt32 = 2
  /// POLLERR, POLLHUP
  private static let hangupOrError: Int16 = 0x8 | 0x10
}
