import BinaryCodec
import LinuxSystem
import SystemPackage

/// /dev/tty: whichever terminal the session of a process has.
enum ControllingTerminal: DescriptorKind {
  static let name = "tty"

  struct Detail: FieldCoded, Equatable {
    /// A process of whose session it is the terminal.
    var process: Int32 = 0
    /// Where the terminal is outside of the tree: one more than the standard file that it is, too.
    var standard: Int32 = 0

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &process)
      try coder.field(2, &standard)
      guard (0...3).contains(standard) else { throw .outOfRange(2) }
    }
  }

  static var needsProcesses: Bool { true }

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    seen.details.kind == .character && seen.details.nodeNumbers == (5, 0)
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] { Detail().encoded() }

  static func settle(_ tree: TreeCapture) throws(CheckpointError) {
    let holders = tree.holders
    for file in tree.descriptions(of: ControllingTerminal.self) {
      try tree.noting { () throws(CheckpointError) in
        let device = try about(file.seen.process) { () throws(SystemCallError) -> UInt32 in
          try Self.device(of: file.seen.copy)
        }
        let holder = tree.captures.first { capture in
          capture.process.status.terminal == UInt64(device)
            && holders.contains { $0.description == file.index && $0.process == capture.process.id }
        }
        guard let holder else {
          throw file.seen.obstacle("it means a terminal that its session no longer has")
        }
        var detail = Detail()
        detail.process = tree.numbers.number(holder.process.id.number)
        if !PseudoTerminal.isInside(holder.process.status, tree) {
          let standard = tree.seen.first {
            (0...2).contains($0.info.number) && $0.details.kind == .character
              && $0.details.nodeNumbers == (
                device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xfff00
              )
          }
          detail.standard = standard.map { $0.info.number + 1 } ?? 0
        }
        tree.replace(file.index, kind: ControllingTerminal.self, detail: detail.encoded())
      }
    }
  }

  /// Which one it is.
  private static func device(of file: borrowing OwnedDescriptor) throws(SystemCallError) -> UInt32 {
    var number: [UInt32] = [0]
    try file.request("ioctl(TIOCGDEV)", 0x8004_5432, &number)
    return number[0]
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    guard let process = restoration.standIns?.member(detail.process) else {
      throw .inconsistent(.noProcess)
    }
    do throws(CheckpointError) {
      return try process.open("/dev/tty", flags: state.flags)
    } catch {
      guard case .injected(.refused, _) = error else { throw error }
      guard detail.standard > 0 else {
        throw .obstacles([
          Obstacle(
            ProcessID(detail.process), "/dev/tty", "there is no terminal here that it could mean",
            remedy: "restore it in front of a terminal, and without --detach")
        ])
      }
      restoration.warn(
        detail.process, "/dev/tty",
        "there is no terminal here; it is what descriptor"
          + " \(detail.standard - 1) is")
      return try about(nil) { () throws(SystemCallError) in
        try restoration.standardDescriptor(duplicating: detail.standard - 1)
      }
    }
  }
}

extension ControllingTerminal {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    "/dev/tty"
  }
}
