import BinaryCodec

/// One mapping of a process's address space.
package struct AreaState: FieldCoded, Equatable, Sendable {
  package enum Content: UInt8, Sendable {
    /// Memory without a file.
    case anonymous = 1
    /// A file that has a path.
    case file = 2
    /// The kernel's own pages: vdso, vvar, vvar_vclock; by `name`.
    case kernel = 3
    /// Memory that several mappings share: an object of this checkpoint.
    case object = 4
  }

  /// First address, and how many bytes.
  package var address: UInt64 = 0
  package var byteCount: UInt64 = 0
  /// PROT_READ, PROT_WRITE, PROT_EXEC.
  package var protection: UInt32 = 0
  package var content = Content.anonymous
  package var isShared = false
  /// The file's path, or the kernel's name of the area such as `[heap]` or `[anon:name]`.
  package var name = ""
  /// Where in the file or object it begins, bytes.
  package var offset: UInt64 = 0
  /// Which object of the checkpoint, for `content` object.
  package var object: UInt32 = 0
  /// The file as it was; nil where size and time of it say nothing.
  package var file: FileFingerprint?
  /// The two-letter flags of /proc/PID/smaps that somebody chose: gd nr lo lf hg nh dd dc wf mg rr sr ac mw
  /// gu dp sl.
  package var flags: [String] = []
  /// Pages that may not be touched (MADV_GUARD_INSTALL): first address and end of each run.
  package var guards: [UInt64] = []

  package init() {}

  package var addresses: Range<UInt64> { address..<address + byteCount }

  package mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &address)
    try coder.field(2, &byteCount)
    try coder.field(3, &protection)
    try coder.field(4, &content)
    try coder.field(5, &isShared)
    try coder.field(6, &name)
    try coder.field(7, &offset)
    try coder.field(8, &object)
    try coder.field(9, &file)
    try coder.field(10, &flags)
    try coder.field(11, &guards)
    if !coder.isReading { return }
    // What a hostile image could wrap around.
    guard byteCount > 0, byteCount % 4096 == 0, address % 4096 == 0,
      address.addingReportingOverflow(byteCount).partialValue <= Self.end,
      address < Self.end, byteCount < Self.end
    else { throw .outOfRange(1) }
    guard guards.count % 2 == 0 else { throw .outOfRange(11) }
    for index in stride(from: 0, to: guards.count, by: 2) {
      let (start, end) = (guards[index], guards[index + 1])
      guard start >= address, start < end, end <= address + byteCount else {
        throw .outOfRange(11)
      }
    }
  }

  /// The end of the addresses that a process may have (five-level paging included).
  private static let end: UInt64 = 1 << 56
}

/// How a file looked: enough to see that it has been changed since.
package struct FileFingerprint: FieldCoded, Equatable, Sendable {
  package var byteCount: UInt64 = 0
  /// Last modification.
  package var seconds: Int64 = 0
  package var nanoseconds: UInt32 = 0
  /// Which file it was. A copy of it is as good, so that this only helps to say what has changed.
  package var device: UInt64 = 0
  package var inode: UInt64 = 0

  package init() {}

  package mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &byteCount)
    try coder.field(2, &seconds)
    try coder.field(3, &nanoseconds)
    try coder.field(4, &device, isOptional: true)
    try coder.field(5, &inode, isOptional: true)
  }
}
