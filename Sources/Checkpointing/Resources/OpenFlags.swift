/// Flags of open(2) that several kinds look at.
enum OpenFlags {
  static let readOnly: UInt32 = 0
  static let writeOnly: UInt32 = 1
  static let readWrite: UInt32 = 2
  static let accessMode: UInt32 = 3
  static let nonBlocking: UInt32 = 0o4000
  /// O_ASYNC
  static let signalling: UInt32 = 0o20000
  /// O_DIRECT: for pipes, what one write wrote is read as one.
  static let direct: UInt32 = 0o40000
  static let pathOnly: UInt32 = 0o10000000
}

/// Events of poll(2) that are told without asking.
enum PollEvents {
  /// POLLPRI, which has to be asked for.
  static let urgent: Int16 = 0x2
  static let failed: Int16 = 0x8
  static let hungUp: Int16 = 0x10
  static let hungUpOrFailed: Int16 = 0x18
}
