import BinaryCodec
import LinuxSystem

/// One side of a pseudoterminal whose master is in the tree: pty(7).
enum PseudoTerminal: DescriptorKind {
  static let name = "pty"

  struct Detail: FieldCoded, Equatable {
    /// The N of /dev/pts/N.
    var index: UInt32 = 0
    var isMaster = false
    /// `struct termios2` and `struct winsize`.
    var settings: [UInt8] = []
    var size: [UInt8] = []
    /// TIOCPKT, TIOCSPTLCK and TIOCEXCL.
    var isInPackets = false
    var isLocked = false
    var isExclusive = false
    /// Nobody has the slave open any more.
    var isHungUp = false
    /// What has been typed of a line, kept with the master.
    var halfLine: [UInt8] = []
    /// Of the file in /dev/pts.
    var user: UInt32 = 0
    var group: UInt32 = 0
    var permissions: UInt32 = 0

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &index)
      try coder.field(2, &isMaster)
      try coder.field(3, &settings)
      try coder.field(4, &size)
      try coder.field(5, &isInPackets)
      try coder.field(6, &isLocked)
      try coder.field(7, &isExclusive)
      try coder.field(8, &isHungUp)
      try coder.field(9, &user)
      try coder.field(10, &group)
      try coder.field(11, &permissions)
      try coder.field(12, &halfLine)
      if coder.isReading {
        guard halfLine.count < 4096 else { throw .outOfRange(12) }
        guard settings.count == settingsByteCount, size.count == sizeByteCount else {
          throw .outOfRange(3)
        }
      }
    }
  }

  fileprivate static let settingsByteCount = 44
  fileprivate static let sizeByteCount = 8
  private static let slaveMajors: ClosedRange<UInt32> = 136...143

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    guard seen.details.kind == .character, seen.info.flags & OpenFlags.pathOnly == 0 else {
      return false
    }
    let numbers = seen.details.nodeNumbers
    return numbers == (5, 2) || slaveMajors.contains(numbers.major)
  }

  /// Which terminal a device number means; nil for others.
  static func index(major: UInt32, minor: UInt32) -> UInt32? {
    slaveMajors.contains(major) ? (major - slaveMajors.lowerBound) << 8 | minor : nil
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    var detail = Detail()
    let numbers = seen.details.nodeNumbers
    detail.isMaster = numbers == (5, 2)
    try about(seen.process) { () throws(SystemCallError) in
      if detail.isMaster {
        detail.index = try seen.copy.terminalNumber(Request.index)
        detail.isInPackets = try seen.copy.terminalNumber(Request.packets) != 0
        detail.isLocked = try seen.copy.terminalNumber(Request.lock) != 0
        detail.isHungUp = try seen.copy.readyEvents() & PollEvents.hungUp != 0
      } else {
        detail.index = index(major: numbers.major, minor: numbers.minor) ?? 0
        detail.isExclusive = try seen.copy.terminalNumber(Request.exclusive) != 0
      }
      var settings = [UInt8](repeating: 0, count: settingsByteCount)
      try seen.copy.request("ioctl(TCGETS2)", Request.settings, &settings)
      detail.settings = settings
      var size = [UInt8](repeating: 0, count: sizeByteCount)
      try seen.copy.request("ioctl(TIOCGWINSZ)", Request.size, &size)
      detail.size = size
    }
    let node = try? OwnedDescriptor.open("/dev/pts/\(detail.index)", flags: OpenFlags.pathOnly)
      .details()
    let shown = detail.isMaster ? node ?? seen.details : seen.details
    (detail.user, detail.group, detail.permissions) = (shown.user, shown.group, shown.permissions)
    return detail.encoded()
  }

  /// A terminal whose master is outside leads outside: where it is a standard file, and under what other
  /// numbers it is open besides.
  static func settle(_ tree: TreeCapture) throws(CheckpointError) {
    var sides: [(index: Int, seen: SeenDescriptor, detail: Detail)] = []
    for side in tree.descriptions(of: PseudoTerminal.self) {
      do throws(FieldError) {
        sides.append((side.index, side.seen, try Detail(decoding: side.state.detail[...])))
      } catch {
        throw .malformed(error)
      }
    }
    for side in sides {
      try tree.noting { () throws(CheckpointError) in
        if side.detail.isMaster
          || sides.contains(where: { $0.detail.isMaster && $0.detail.index == side.detail.index })
        {
          return try check(side.seen, side.detail, tree)
        }
        let standard = sides.first {
          $0.detail.index == side.detail.index && !$0.detail.isMaster
            && (0...2).contains($0.seen.info.number)
        }
        guard let standard else {
          throw side.seen.obstacle("its terminal belongs to a process outside of the tree")
        }
        tree.replace(
          side.index, kind: ExternalFile.self, detail: ExternalFile.detail(of: standard.seen))
      }
    }
    // Only where nothing else waits.
    guard tree.obstacles.isEmpty else { return }
    for side in sides where side.detail.isMaster { try takeHalfLine(side, sides, tree) }
  }

  private static func check(
    _ seen: SeenDescriptor, _ detail: Detail, _ tree: TreeCapture
  ) throws(CheckpointError) {
    let (waiting, session, discipline) = try about(seen.process) { () throws(SystemCallError) in
      // What is on its way arrives when somebody asks for it.
      let events = try seen.copy.readyEvents(PollEvents.readable)
      // The end of a file is no byte, and neither is what a master is told of its slave.
      let isReadable = events & (PollEvents.readable | PollEvents.hungUp) == PollEvents.readable
      return (
        try seen.copy.terminalNumber(Request.waiting) > 0 || isReadable,
        detail.isMaster ? (try? seen.copy.terminalNumber(Request.session)) ?? 0 : 0,
        try seen.copy.terminalNumber(Request.discipline)
      )
    }
    if waiting {
      throw seen.passingObstacle(
        detail.isMaster ? "it shows what nobody has read" : "it has input that nobody has read")
    }
    if discipline != 0 {
      throw seen.obstacle(
        "it has line discipline \(discipline), which belongs to a driver",
        remedy: "let the program close it first")
    }
    try checkFlow(seen, detail)
    let sessions = Set(tree.captures.map { UInt32(bitPattern: $0.process.status.session.number) })
    if session != 0, !sessions.contains(session) {
      throw seen.obstacle("it is the terminal of session \(session), which is outside of the tree")
    }
  }

  private static func takeHalfLine(
    _ master: (index: Int, seen: SeenDescriptor, detail: Detail),
    _ sides: [(index: Int, seen: SeenDescriptor, detail: Detail)], _ tree: TreeCapture
  ) throws(CheckpointError) {
    let slave = sides.first { !$0.detail.isMaster && $0.detail.index == master.detail.index }
    guard let slave else { return }
    var detail = master.detail
    detail.halfLine = try about(master.seen.process) { () throws(SystemCallError) in
      try slave.seen.copy.halfLine(master: master.seen.copy, settings: detail.settings)
    }
    tree.replace(master.index, kind: PseudoTerminal.self, detail: detail.encoded())
  }

  /// Nobody can tell whether a key or a call has stopped the output.
  private static func checkFlow(
    _ seen: SeenDescriptor, _ detail: Detail
  ) throws(CheckpointError) {
    if detail.isMaster { return }
    let events = try about(seen.process) { () throws(SystemCallError) in
      try seen.copy.readyEvents(PollEvents.writable)
    }
    if events & (PollEvents.writable | PollEvents.hungUp) == 0 {
      throw seen.obstacle(
        "its output is held (Ctrl-S, or tcflow(3))", remedy: "let it go on first, as with Ctrl-Q")
    }
  }

  /// Which terminal a session has, where its master is in the tree.
  static func note(_ status: ProcessStatus, in state: inout ProcessState, _ tree: TreeCapture) {
    guard state.life != .zombie, status.terminal != 0 else { return }
    if let terminal = index(of: status), hasMaster(of: terminal, tree) {
      guard state.session == state.id else { return }
      state.terminal = terminal
    } else {
      state.hasOutsideTerminal = true
    }
    state.foregroundGroup = Int32(truncatingIfNeeded: status.number(8))
  }

  /// How /proc names its slave.
  static func slaveLink(_ state: DescriptionState) -> String? {
    (try? Detail(decoding: state.detail[...])).map { "/dev/pts/\($0.index)" }
  }

  /// Whether a process's controlling terminal is one of the tree.
  static func isInside(_ status: ProcessStatus, _ tree: TreeCapture) -> Bool {
    index(of: status).map { hasMaster(of: $0, tree) } ?? false
  }

  private static func index(of status: ProcessStatus) -> UInt32? {
    // As /proc has it: the minor number's low byte, the major number, the rest of the minor number.
    let number = UInt32(truncatingIfNeeded: status.terminal)
    return index(major: number >> 8 & 0xfff, minor: number & 0xff | number >> 12 & 0xfff00)
  }

  private static func hasMaster(of terminal: UInt32, _ tree: TreeCapture) -> Bool {
    tree.descriptions(of: PseudoTerminal.self).contains {
      let detail = try? Detail(decoding: $0.state.detail[...])
      return detail?.isMaster == true && detail?.index == terminal
    }
  }

  // MARK: Back

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    let terminal = try restoration.terminal(detail)
    return try about(nil) { () throws(SystemCallError) in
      // A master has one description; who opens /dev/ptmx again has another terminal.
      guard detail.isMaster else {
        return try terminal.openSlave(flags: state.flags)
      }
      let master = try terminal.master.duplicate(from: 3)
      try master.control(4, Int(state.flags))  // F_SETFL
      return master
    }
  }

  static func finish(
    _ state: DescriptionState, _ file: borrowing OwnedDescriptor, _ restoration: Restoration
  ) throws(CheckpointError) {
    let detail = try restoration.decode(Detail.self, state.detail)
    let slave = restoration.terminal(numbered: detail.index)?.slave
    try about(nil) { () throws(SystemCallError) in
      if detail.isMaster {
        if let slave, !detail.halfLine.isEmpty {
          try slave.descriptor.type(
            halfLine: detail.halfLine, master: file, settings: detail.settings)
        }
        try file.setTerminalNumber(Request.setPackets, detail.isInPackets ? 1 : 0)
        try file.setTerminalNumber(Request.setLock, detail.isLocked ? 1 : 0)
      } else if detail.isExclusive {
        try file.request("ioctl(TIOCEXCL)", Request.setExclusive)
      }
    }
  }

  enum Request {
    static let index = 0x8004_5430
    static let packets = 0x8004_5438
    static let lock = 0x8004_5439
    static let exclusive = 0x8004_5440
    static let settings = 0x802c_542a
    static let setSettings = 0x402c_542b
    static let size = 0x5413
    static let setSize = 0x5414
    static let waiting = 0x541b
    static let session = 0x5429
    static let discipline = 0x5424
    static let setPackets = 0x5420
    static let setLock = 0x4004_5431
    static let setExclusive = 0x540c
    static let takeControl: UInt64 = 0x540e
    static let setForegroundGroup: UInt64 = 0x5410
    static let openSlave = 0x5441
  }
}

/// A pseudoterminal that is being brought back.
final class RestoredTerminal {
  let master: OwnedDescriptor
  /// Open for those who take it for their controlling terminal; nil where nobody has it.
  let slave: Restoration.OpenFile?

  init(
    _ detail: PseudoTerminal.Detail, _ restoration: Restoration
  ) throws(CheckpointError) {
    let (made, index) = try about(nil) { () throws(SystemCallError) in
      try Self.make(index: detail.index)
    }
    if index != detail.index {
      restoration.warn(
        0, "/dev/pts/\(detail.index)",
        "it is somebody else's now; the terminal is /dev/pts/\(index)")
    }
    let lowest = restoration.lowestNumber
    let box = made
    master = try about(nil) { () throws(SystemCallError) in try box.descriptor.duplicate(from: 3) }
    let isUsed = try Self.isUsed(detail.index, restoration)
    slave = try about(nil) { () throws(SystemCallError) in
      try box.descriptor.setTerminalNumber(PseudoTerminal.Request.setLock, 0)
      var settings = detail.settings
      try box.descriptor.request("ioctl(TCSETS2)", PseudoTerminal.Request.setSettings, &settings)
      var size = detail.size
      try box.descriptor.request("ioctl(TIOCSWINSZ)", PseudoTerminal.Request.setSize, &size)
      let path = "/dev/pts/\(index)"
      let present = try OwnedDescriptor.open(path, flags: OpenFlags.pathOnly).details()
      if (present.user, present.group) != (detail.user, detail.group) {
        try Files.setOwner(path, user: detail.user, group: detail.group)
      }
      try Files.setPermissions(path, detail.permissions & 0o7777)
      // A master whose slave nobody has opened yet waits; one whose slave was closed has ended.
      guard isUsed || detail.isHungUp else { return nil }
      let slave = try box.descriptor.openPeer(flags: 2)
      guard isUsed else { return nil }
      return Restoration.OpenFile(try slave.duplicate(from: lowest))
    }
  }

  /// Whether a slave of it is open in the tree, or it is the terminal of a session.
  private static func isUsed(
    _ index: UInt32, _ restoration: Restoration
  ) throws(CheckpointError) -> Bool {
    if restoration.state.processes.contains(where: { $0.terminal == index }) { return true }
    for state in restoration.state.descriptions where state.kind == PseudoTerminal.name {
      let detail = try restoration.decode(PseudoTerminal.Detail.self, state.detail)
      if !detail.isMaster && detail.index == index { return true }
    }
    return false
  }

  /// With this number, if it can be had: numbers are given from the lowest free one on.
  private static func make(
    index wanted: UInt32
  ) throws(SystemCallError) -> (OwnedDescriptorBox, UInt32) {
    var passed: [OwnedDescriptorBox] = []
    while true {
      // O_RDWR | O_NOCTTY
      let box = OwnedDescriptorBox(try OwnedDescriptor.open("/dev/ptmx", flags: 2 | 0o400))
      let index = try box.descriptor.terminalNumber(PseudoTerminal.Request.index)
      if index == wanted { return (box, index) }
      passed.append(box)
      if index > wanted || passed.count > 256 { return (box, index) }
    }
  }

  func openSlave(flags: UInt32) throws(SystemCallError) -> OwnedDescriptor {
    try master.openPeer(flags: flags & ~OpenFlags.ofTheFirstTime)
  }
}

extension OwnedDescriptor {
  borrowing func terminalNumber(_ request: Int) throws(SystemCallError) -> UInt32 {
    var number: [UInt32] = [0]
    try self.request("ioctl of a terminal", request, &number)
    return number[0]
  }

  borrowing func setTerminalNumber(
    _ request: Int, _ value: UInt32
  ) throws(SystemCallError) {
    var number = [value]
    try self.request("ioctl of a terminal", request, &number)
  }

  /// The slave of this master; O_NOCTTY is added.
  borrowing func openPeer(flags: UInt32) throws(SystemCallError) -> OwnedDescriptor {
    let made = try request(
      "ioctl(TIOCGPTPEER)", PseudoTerminal.Request.openSlave, Int(flags | 0o400))
    let slave = OwnedDescriptor(owning: Int32(made), name: "a terminal")
    // O_CLOEXEC would be told among its flags for ever.
    try slave.control(2, 1)  // F_SETFD, FD_CLOEXEC
    return slave
  }
}

extension ProcessBuilder {
  /// A session's leader gives the session its terminal; who is born after that has it, too.
  func takeTerminal() throws(CheckpointError) {
    if let index = state.terminal, let slave = restoration.terminal(numbered: index)?.slave {
      try call(.ioctl, "ioctl(TIOCSCTTY)", slave.number, PseudoTerminal.Request.takeControl, 0)
      terminal = slave.number
    } else if state.hasOutsideTerminal {
      // One that another session has, such as that of this program's shell, stays with it.
      for number in restoration.standardTerminals() {
        let result = try inside(id) { () throws(InjectionError) in
          try injector.callForResult(
            .ioctl, [number, PseudoTerminal.Request.takeControl, 0])
        }
        if result != 0 { continue }
        terminal = number
        return
      }
    }
  }

  /// When all are in their groups.
  func setForegroundGroup() throws(CheckpointError) {
    guard let terminal,
      restoration.state.processes.contains(where: {
        $0.processGroup == state.foregroundGroup && $0.session == state.session
      })
    else { return }
    let group = try put(words: [UInt64(UInt32(bitPattern: state.foregroundGroup))])
    try call(
      .ioctl, "ioctl(TIOCSPGRP)", terminal, PseudoTerminal.Request.setForegroundGroup, group)
  }
}

extension PseudoTerminal {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    guard let detail = try? Detail(decoding: state.detail[...]) else { return nil }
    return
      "/dev/pts/\(detail.index), \(detail.isMaster ? "the side of the terminal" : "the side of programs")"
  }
}
