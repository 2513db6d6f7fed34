/// Flags of open(2) that several kinds look at.
enum OpenFlags {
  static let accessMode: UInt32 = 3
  static let nonBlocking: UInt32 = 0o4000
  /// O_ASYNC
  static let signalling: UInt32 = 0o20000
  /// O_DIRECT: for pipes, what one write wrote is read as one.
  static let direct: UInt32 = 0o40000
  static let pathOnly: UInt32 = 0o10000000
}
