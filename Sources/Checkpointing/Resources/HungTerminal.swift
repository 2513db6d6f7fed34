import BinaryCodec
import LinuxSystem
import SystemPackage

/// A terminal that was hung up, as the window or the connection of whoever started the program has been closed since:
/// it can be read to its end, and not written. Its name is nobody's any more, so it comes back under another.
enum HungTerminal: DescriptorKind {
  static let name = "hung-pty"

  struct Detail: FieldCoded, Equatable {
    /// What it was, for people.
    var link = ""

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &link)
    }
  }

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    let numbers = seen.details.nodeNumbers
    guard seen.details.kind == .character, seen.info.flags & OpenFlags.pathOnly == 0,
      PseudoTerminal.index(major: numbers.major, minor: numbers.minor) != nil
        || ControllingTerminal.recognises(seen)
    else { return false }
    // hung_up_tty_ioctl in drivers/tty/tty_io.c
    do throws(SystemCallError) {
      _ = try seen.copy.terminalNumber(PseudoTerminal.Request.exclusive)
      return false
    } catch {
      return error.errno == .ioError
    }
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    Detail(link: seen.info.link).encoded()
  }

  /// Whoever closes the master hangs up the slave.
  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    try about(nil) { () throws(SystemCallError) in
      let master = try OwnedDescriptor.open(
        "/dev/ptmx", flags: OpenFlags.readWrite | OpenFlags.noTerminal)
      try master.setTerminalNumber(PseudoTerminal.Request.setLock, 0)
      return try master.openPeer(flags: state.flags & ~OpenFlags.ofTheFirstTime)
    }
  }

  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    (try? Detail(decoding: state.detail[...])).map { "a terminal that was hung up: \($0.link)" }
  }
}
