import BinaryCodec

/// Memory or a file whose content the checkpoint holds, and that several mappings or descriptors may share.
package struct ObjectState: FieldCoded, Equatable, Sendable {
  package enum Kind: UInt8, Sendable {
    /// MAP_SHARED | MAP_ANONYMOUS.
    case anonymous = 1
    /// memfd_create(2).
    case memoryFile = 2
    /// shmget(2).
    case systemV = 3
    /// A file that has no name any more.
    case deletedFile = 4
    /// A file in memory, such as those of shm_open(3), that has a name.
    case namedFile = 5
    /// A file that never had a name (O_TMPFILE), and may get one yet.
    case namelessFile = 6
    /// A file that has a name, of which a copy was asked for.
    case copiedFile = 7
  }

  package var byteCount: UInt64 = 0
  /// A file's path, of which only the folder counts where it never had a name; what memfd_create was told.
  package var name = ""
  package var kind = Kind.anonymous
  /// Permission bits of the file or segment, its owners, and when the file was modified.
  package var permissions: UInt32 = 0
  package var user: UInt32 = 0
  package var group: UInt32 = 0
  package var seconds: Int64 = 0
  package var nanoseconds: UInt32 = 0
  /// fcntl(F_GET_SEALS) of a memfd.
  package var seals: UInt32 = 0
  /// The key and number of a System V segment, and whether it goes with its last mapping.
  package var key: Int32 = 0
  package var id: Int32 = 0
  package var isRemoved = false
  package var isLocked = false

  package init() {}

  /// Whether it is a file that no path leads to.
  package var hasNoName: Bool { kind == .deletedFile || kind == .namelessFile }
  /// Whether it is a file that its path leads to.
  package var hasName: Bool { kind == .namedFile || kind == .copiedFile }

  /// All of its pages.
  package var pages: Range<UInt64> { 0..<(byteCount + 4095) & ~4095 }

  package mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &byteCount)
    try coder.field(2, &name)
    try coder.field(3, &kind)
    try coder.field(4, &permissions)
    try coder.field(5, &user)
    try coder.field(6, &group)
    try coder.field(7, &seconds)
    try coder.field(8, &nanoseconds)
    try coder.field(9, &seals)
    try coder.field(10, &key)
    try coder.field(11, &id)
    try coder.field(12, &isRemoved)
    try coder.field(13, &isLocked)
    guard !coder.isReading || byteCount <= 1 << 56 else { throw .outOfRange(1) }
  }
}
