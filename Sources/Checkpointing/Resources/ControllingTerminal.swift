import BinaryCodec
import LinuxSystem

/// /dev/tty: whichever terminal the session of the process that opened it had.
enum ControllingTerminal: DescriptorKind {
  static let name = "tty"

  struct Detail: FieldCoded, Equatable {
    /// The N of /dev/pts/N.
    var index: UInt32 = 0

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &index)
    }
  }

  /// Only a process of that session can open it.
  static var needsProcesses: Bool { true }

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    seen.details.kind == .character && seen.details.nodeNumbers == (5, 0)
      && seen.info.flags & OpenFlags.pathOnly == 0
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    guard let device = try? seen.copy.terminalNumber(PseudoTerminal.Request.device) else {
      throw seen.obstacle("its terminal is gone")
    }
    // A console or a serial line is outside, whatever its number.
    let index = PseudoTerminal.index(ofDevice: device) ?? .max
    return Detail(index: index).encoded()
  }

  /// A terminal whose master is outside leads outside: as the standard file that it is, or that is the same
  /// terminal under its own name.
  static func settle(_ tree: TreeCapture) throws(CheckpointError) {
    for file in tree.descriptions(of: ControllingTerminal.self) {
      try tree.noting { () throws(CheckpointError) in
        guard let detail = try? Detail(decoding: file.state.detail[...]) else { return }
        if PseudoTerminal.hasMaster(of: detail.index, tree) {
          try PseudoTerminal.requireNothingWaiting(file.seen, isMaster: false)
          let isLed = tree.captures.contains {
            PseudoTerminal.leads($0.process, with: detail.index)
          }
          guard isLed else {
            throw file.seen.obstacle(
              "it was opened in a session that has another terminal now, or none")
          }
          return
        }
        let standard =
          tree.descriptions(of: ControllingTerminal.self)
          .filter { $0.state.detail == file.state.detail }
          + tree.descriptions(of: PseudoTerminal.self).filter {
            PseudoTerminal.isSlave(of: detail.index, $0.state)
          }
        guard let standard = standard.first(where: { (0...2).contains($0.seen.info.number) }) else {
          throw file.seen.obstacle("its terminal belongs to a process outside of the tree")
        }
        tree.replace(
          file.index, kind: ExternalFile.self, detail: ExternalFile.detail(of: standard.seen))
      }
    }
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    guard
      let leader = restoration.builders.first(where: {
        $0.state.terminal == detail.index && $0.state.session == $0.state.id
      })
    else { throw .inconsistent(.unknownDescription) }
    let path = try leader.put(Array("/dev/tty\0".utf8))
    let number = try inside(leader.id) { () throws(InjectionError) in
      try leader.injector.call(
        .open, "open(/dev/tty)", [path, UInt64(state.flags & ~OpenFlags.creating | noControl)])
    }
    let file = try about(leader.id) { () throws(SystemCallError) in
      try leader.id.openDescriptor().takeDescriptor(Int32(truncatingIfNeeded: number))
    }
    try leader.call(.close, "close", UInt64(number))
    return file
  }

  /// O_NOCTTY | O_CLOEXEC
  private static let noControl: UInt32 = 0o2000400
}
