import BinaryCodec
import LinuxSystem

/// pidfd_open(2): stands for a process or a thread, of the tree or one that has ended.
enum ProcessDescriptor: DescriptorKind {
  static let name = "pidfd"

  struct Detail: FieldCoded, Equatable {
    /// 0 for one that has ended, and that somebody has waited for.
    var process: Int32 = 0

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &process)
    }
  }

  static var needsProcesses: Bool { true }

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    seen.info.link == "anon_inode:[pidfd]" || seen.info.link.hasPrefix("pidfd:")
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    guard let line = seen.info.line("Pid"), let number = Int32(line) else {
      throw seen.obstacle("this kernel does not tell which process it stands for")
    }
    if seen.info.flags & thread != 0 {
      throw seen.obstacle("it stands for a thread (PIDFD_THREAD)")
    }
    var detail = Detail()
    detail.process = max(tree.numbers.number(number), 0)
    if number > 0, !tree.captures.contains(where: { $0.process.id.number == number }) {
      throw seen.obstacle(
        "it stands for process \(number), which is outside of the tree")
    }
    if number == 0 { throw seen.obstacle("it stands for a process of another namespace") }
    return detail.encoded()
  }

  /// O_EXCL
  private static let thread: UInt32 = 0o200

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    let process = restoration.process(numbered: detail.process)
    guard detail.process == 0 || process != nil else { throw .inconsistent(.noProcess) }
    return try about(nil) { () throws(SystemCallError) in
      let flags = Int(state.flags & OpenFlags.nonBlocking)
      if let process { return try process.openDescriptor(flags: flags) }
      // Any that has ended will do.
      let stub = try StubProcess.make(id: nil)
      let descriptor = try stub.openDescriptor(flags: flags)
      try stub.send(signal: 9)
      try stub.waitForEnd()
      return descriptor
    }
  }
}

extension ProcessDescriptor {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    guard let detail = try? Detail(decoding: state.detail[...]) else { return nil }
    return detail.process == 0 ? "a process that has ended" : "process \(detail.process)"
  }
}
