import LinuxSystem

/// Flags of open(2) that several kinds look at.
enum OpenFlags {
  /// O_CREAT, O_EXCL, O_TRUNC, O_NOCTTY: what creates or empties a file has done so once.
  static let ofTheFirstTime: UInt32 = 0o100 | 0o200 | 0o1000 | 0o400
  static let readOnly: UInt32 = 0
  static let writeOnly: UInt32 = 1
  static let readWrite: UInt32 = 2
  static let accessMode: UInt32 = 3
  static let append: UInt32 = 0o2000
  static let nonBlocking: UInt32 = 0o4000
  /// O_ASYNC
  static let signalling: UInt32 = 0o20000
  /// O_DIRECT: for pipes, what one write wrote is read as one.
  static let direct: UInt32 = 0o40000
  /// O_LARGEFILE
  static let large: UInt32 = 0o100000
  static let pathOnly: UInt32 = 0o10000000
  /// O_NOCTTY
  static let noTerminal: UInt32 = 0o400

  /// What who opens a file with these flags must be allowed to do with it.
  static func access(of flags: UInt32) -> Files.Access {
    if flags & pathOnly != 0 { return [] }
    return switch flags & accessMode {
    case readOnly: .reading
    case writeOnly: .writing
    default: [.reading, .writing]
    }
  }
}

/// Events of poll(2) that are told without asking.
enum PollEvents {
  /// Those that have to be asked for.
  static let readable: Int16 = 0x1
  static let writable: Int16 = 0x4
  /// POLLPRI
  static let urgent: Int16 = 0x2
  static let failed: Int16 = 0x8
  static let hungUp: Int16 = 0x10
  static let hungUpOrFailed: Int16 = 0x18
  /// POLLRDHUP: nothing more will come. To be asked for.
  static let ended: Int16 = 0x2000
}
