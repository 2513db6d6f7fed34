/// Flags of open(2) that several kinds look at.
enum OpenFlags {
  static let accessMode: UInt32 = 3
  static let nonBlocking: UInt32 = 0o4000
  static let pathOnly: UInt32 = 0o10000000
}
