import Glibc
import SystemPackage

// A line that somebody is typing is nobody's yet: the kernel keeps it until its end is typed, counts it as
// nothing, and gives it to who reads only when lines do not matter (ICANON of termios(3)). So the terminal
// forgets about lines for a moment, and is given back what was in it as if it had been typed again. Nobody
// who uses the terminal may run meanwhile, and no whole line may wait. `self` is the slave.
extension OwnedDescriptor {
  /// What has been typed of a line; it stays there. `settings`: its `struct termios2`.
  package borrowing func halfLine(
    master: borrowing OwnedDescriptor, settings: [UInt8]
  ) throws(SystemCallError) -> [UInt8] {
    guard TerminalSettings(bytes: settings).areForLines else { return [] }
    try set(TerminalSettings(bytes: settings).withoutLines)
    var line: [UInt8] = []
    var failure: SystemCallError?
    do throws(SystemCallError) {
      let count = try unreadByteCount()
      if count > 0 { line = try readPiece(limit: count) }
    } catch {
      failure = error
    }
    try type(halfLine: line, master: master, settings: settings)
    if let failure { throw failure }
    return line
  }

  /// Types the beginning of a line: none of its characters does anything, and nothing is echoed. The
  /// settings are set in any case.
  package borrowing func type(
    halfLine line: [UInt8], master: borrowing OwnedDescriptor, settings: [UInt8]
  ) throws(SystemCallError) {
    if !line.isEmpty {
      try set(TerminalSettings(bytes: settings).literal(for: line))
      // Safe: bytes have no padding.
      try master.writeStream(unsafe line.span.bytes, range: 0..<line.count)
      // What is on its way arrives when somebody asks for it.
      _ = try readyEvents(Int16(POLLIN))
    }
    try set(TerminalSettings(bytes: settings))
  }

  private borrowing func set(_ settings: TerminalSettings) throws(SystemCallError) {
    var bytes = settings.bytes
    try request("ioctl(TCSETS2)", 0x402c_542b, &bytes)
  }
}

/// `struct termios2`: flags of input, output, hardware and lines, the discipline, 19 characters, two speeds.
private struct TerminalSettings {
  var bytes: [UInt8]

  private enum Offset {
    static let input = 0, lines = 12, characters = 17
  }

  private subscript(flags offset: Int) -> UInt32 {
    get { bytes[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) } }
    set {
      for byte in 0..<4 { bytes[offset + byte] = UInt8(truncatingIfNeeded: newValue >> (8 * byte)) }
    }
  }

  private subscript(character number: Int32) -> UInt8 {
    get { bytes[Offset.characters + Int(number)] }
    set { bytes[Offset.characters + Int(number)] = newValue }
  }

  /// ICANON, and not EXTPROC, by which lines are somebody else's.
  var areForLines: Bool { self[flags: Offset.lines] & 0o200002 == UInt32(ICANON) }

  /// Reads whatever there is.
  var withoutLines: TerminalSettings {
    var loose = self
    loose[flags: Offset.lines] &= ~UInt32(ICANON)
    loose[character: VMIN] = 1
    loose[character: VTIME] = 0
    return loose
  }

  /// Takes these characters as they are.
  func literal(for line: [UInt8]) -> TerminalSettings {
    var plain = self
    plain[flags: Offset.lines] &= ~UInt32(ISIG | ECHO | ECHONL | IEXTEN)
    plain[flags: Offset.input] &= ~UInt32(PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IUCLC)
    // The other side may be told when this changes.
    if line.contains(self[character: VSTART]) || line.contains(self[character: VSTOP]) {
      plain[flags: Offset.input] &= ~UInt32(IXON)
    }
    for number in [VINTR, VQUIT, VERASE, VKILL, VEOF, VEOL, VEOL2, VSUSP, VWERASE, VLNEXT] {
      plain[character: number] = 0
    }
    return plain
  }
}
