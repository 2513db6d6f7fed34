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
  /// O_CREAT, O_EXCL and O_TRUNC
  static let creating: UInt32 = 0o1300
  static let pathOnly: UInt32 = 0o10000000
}

/// Events of poll(2) that are told without asking.
enum PollEvents {
  static let hungUp: Int16 = 0x10
  static let hungUpOrFailed: Int16 = 0x18
}
