import SystemPackage

/// A segment of System V shared memory (shmget(2)), by its number.
package struct SystemVMemory: Equatable, Sendable {
  package var id: Int32
  /// What it is looked up by; 0 when it can't be (IPC_PRIVATE, or removed).
  package var key: Int32 = 0
  package var user: UInt32 = 0
  package var group: UInt32 = 0
  /// Permission bits, and those below.
  package var mode: UInt32 = 0
  package var byteCount: UInt64 = 0
  /// How many mappings of it there are.
  package var attachmentCount: UInt64 = 0

  /// It goes when the last mapping does (SHM_DEST); it stays in memory (SHM_LOCKED).
  package var isRemoved: Bool { mode & 0o1000 != 0 }
  package var isLocked: Bool { mode & 0o2000 != 0 }

  private enum Command {
    static let remove = 0, set = 1, status = 2, lock = 11
  }

  /// What the kernel knows of a segment.
  package init(status id: Int32) throws(SystemCallError) {
    self.id = id
    var words = [UInt32](repeating: 0, count: 28)  // struct shmid64_ds
    try withAddress(of: &words) { (address) throws(SystemCallError) in
      try kernelCall(
        .shmctl, "shmctl(IPC_STAT)", on: "shared memory \(id)", Int(id), Command.status, address)
    }
    key = Int32(bitPattern: words[0])
    (user, group, mode) = (words[1], words[2], words[5])
    byteCount = UInt64(words[12]) | UInt64(words[13]) << 32
    attachmentCount = UInt64(words[22]) | UInt64(words[23]) << 32
  }

  /// Makes a segment that has this number, which must be free.
  ///
  /// - Throws: `alreadyExists` when the number or the key is another segment's; `permissionDenied` where
  ///   numbers may not be chosen (/proc/sys/kernel/shm_next_id wants CAP_CHECKPOINT_RESTORE).
  package static func make(
    id: Int32, key: Int32, byteCount: UInt64, mode: UInt32
  ) throws(SystemCallError) {
    let file = try OwnedDescriptor.open("/proc/sys/kernel/shm_next_id", access: .writeOnly)
    let text = Array("\(id)".utf8)
    // Safe: bytes have no padding.
    try file.write(unsafe text.span.bytes, range: 0..<text.count, at: 0)
    // IPC_CREAT | IPC_EXCL
    let made = try kernelCall(
      .shmget, "shmget", on: "shared memory \(id)", Int(key), Int(clamping: byteCount),
      Int(mode & 0o777) | 0o3000)
    if made == Int(id) { return }
    try? SystemVMemory.remove(Int32(truncatingIfNeeded: made))
    throw SystemCallError(call: "shmget", subject: "shared memory \(id)", errno: .fileExists)
  }

  /// It goes when its last mapping does, and can't be found any more.
  package static func remove(_ id: Int32) throws(SystemCallError) {
    try kernelCall(.shmctl, "shmctl(IPC_RMID)", on: "shared memory \(id)", Int(id), Command.remove)
  }

  /// Sets owner and permissions as they are here.
  package func setOwner() throws(SystemCallError) {
    var words = [UInt32](repeating: 0, count: 28)
    (words[1], words[2], words[5]) = (user, group, mode & 0o777)
    try withAddress(of: &words) { (address) throws(SystemCallError) in
      try kernelCall(
        .shmctl, "shmctl(IPC_SET)", on: "shared memory \(id)", Int(id), Command.set, address)
    }
  }

  package static func lock(_ id: Int32) throws(SystemCallError) {
    try kernelCall(.shmctl, "shmctl(SHM_LOCK)", on: "shared memory \(id)", Int(id), Command.lock)
  }
}

/// A mapping of shared memory in this process, for who fills it. It is written through /proc, where memory
/// that can't be had is an error and not a signal.
package final class OwnSharedMapping: Sendable {
  private let address: UInt64
  private let byteCount: UInt64
  private let isSystemV: Bool
  private let memory: ProcessMemory

  /// New memory, zeros, shared with whoever gets `descriptor()`.
  package convenience init(byteCount: UInt64) throws(SystemCallError) {
    // PROT_READ | PROT_WRITE; MAP_SHARED | MAP_ANONYMOUS
    let made = try kernelCall(
      .mmap, "mmap", on: "shared memory", 0, Int(clamping: byteCount), 3, 0x21, -1, 0)
    try self.init(made, byteCount, isSystemV: false)
  }

  /// A segment that exists.
  package convenience init(attaching id: Int32, byteCount: UInt64) throws(SystemCallError) {
    let made = try kernelCall(.shmat, "shmat", on: "shared memory \(id)", Int(id), 0, 0)
    try self.init(made, byteCount, isSystemV: true)
  }

  private init(_ address: Int, _ byteCount: UInt64, isSystemV: Bool) throws(SystemCallError) {
    self.address = UInt64(UInt(bitPattern: address))
    self.byteCount = byteCount
    self.isSystemV = isSystemV
    memory = try ProcessMemory(of: .current)
    // MADV_DONTFORK: what this process makes meanwhile does not count among those that have attached it.
    _ = try? kernelCall(
      .madvise, "madvise", on: "shared memory", Int(bitPattern: UInt(self.address)),
      Int(clamping: (byteCount + 4095) & ~4095), 10)
  }

  deinit {
    _ =
      try? isSystemV
      ? kernelCall(.shmdt, "shmdt", on: "shared memory", Int(address))
      : kernelCall(.munmap, "munmap", on: "shared memory", Int(address), Int(byteCount))
  }

  /// The memory as a file, for others to map; needs CAP_CHECKPOINT_RESTORE.
  package func descriptor() throws(SystemCallError) -> OwnedDescriptor {
    let end = address + ((byteCount + 4095) & ~4095)
    let path =
      "/proc/self/map_files/\(String(address, radix: 16))-\(String(end, radix: 16))"
    return try OwnedDescriptor.open(path, access: .readWrite)
  }

  package func write(
    _ buffer: RawSpan, range: Range<Int>, at offset: UInt64
  ) throws(SystemCallError) {
    precondition(offset + UInt64(range.count) <= (byteCount + 4095) & ~4095)
    try memory.write(buffer, range: range, at: address + offset)
  }

  package func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: UInt64
  ) throws(SystemCallError) {
    precondition(offset + UInt64(range.count) <= (byteCount + 4095) & ~4095)
    _ = try memory.read(into: &buffer, range: range, at: address + offset)
  }
}
