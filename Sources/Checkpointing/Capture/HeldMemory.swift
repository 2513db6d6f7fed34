import BinaryCodec
import LinuxSystem
import SystemPackage

/// Pages that can be read only while the tree stands still, kept until they are written: a little of them in
/// memory, the rest in a file without a name.
final class HeldMemory: Sendable {
  private let folder: String
  private let store = Monitor(Store())

  private struct Store: ~Copyable, Sendable {
    var memory = AlignedBuffer(byteCount: memoryByteLimit)
    var file: OwnedDescriptor?
    var byteCount = 0
  }

  /// What is kept in memory.
  private static let memoryByteLimit = 8 << 20

  private let standstill: Standstill?

  /// - Parameters:
  ///   - folder: where the file is made, once there is more.
  ///   - standstill: what bounds how long it may take.
  init(in folder: String, _ standstill: Standstill?) {
    (self.folder, self.standstill) = (folder, standstill)
  }

  /// The same memory, read now.
  func hold(_ space: MemorySpace) throws(CheckpointError) -> MemorySpace {
    var buffer = AlignedBuffer(byteCount: PagePiece.byteLimit)
    var pieces: [PagePiece] = []
    var offsets: [UInt64: Int] = [:]
    try space.forEachPiece { (piece) throws(CheckpointError) in
      var bytes = buffer.mutableBytes
      try space.source.read(into: &bytes, piece.areas)
      pieces.append(piece)
      offsets[piece.areas[0].lowerBound] = try append(buffer.bytes.sub(0..<piece.byteCount))
      try standstill?.check()
    }
    return MemorySpace(
      number: space.number, plan: PagePlan(of: pieces), source: Part(of: self, offsets),
      byteCount: space.byteCount)
  }

  /// One of the memories that are held.
  private final class Part: MemorySource {
    private let whole: HeldMemory
    /// Where each piece is, by its first address.
    private let offsets: [UInt64: Int]

    init(of whole: HeldMemory, _ offsets: [UInt64: Int]) {
      self.whole = whole
      self.offsets = offsets
    }

    func read(
      into buffer: inout MutableRawSpan, _ areas: [Range<UInt64>]
    ) throws(CheckpointError) {
      guard let first = areas.first?.lowerBound, let offset = offsets[first] else {
        preconditionFailure("a piece of another plan")
      }
      try whole.read(into: &buffer, at: offset, areas.reduce(0) { $0 + $1.count })
    }

    func confirm() {}
  }

  /// Returns where they are from now on.
  private func append(_ bytes: RawSpan) throws(CheckpointError) -> Int {
    let folder = folder
    do throws(SystemCallError) {
      return try store.withLock { (store) throws(SystemCallError) in
        let offset = store.byteCount
        if offset + bytes.byteCount <= Self.memoryByteLimit {
          var target = store.memory.mutableBytes
          target.copy(bytes, at: offset)
        } else {
          if store.file == nil { store.file = try Self.makeFile(in: folder) }
          try store.file?.write(bytes, range: 0..<bytes.byteCount, at: offset)
        }
        store.byteCount += bytes.byteCount
        return offset
      }
    } catch {
      throw .system(error, process: nil)
    }
  }

  private static func makeFile(in folder: String) throws(SystemCallError) -> OwnedDescriptor {
    let name = Files.temporaryName(beside: "\(folder)/held")
    let file = try OwnedDescriptor.open(
      name, access: .readWrite, options: [.create, .exclusive], permissions: 0o600)
    try Files.unlink(name)
    return file
  }

  private func read(
    into buffer: inout MutableRawSpan, at offset: Int, _ count: Int
  ) throws(CheckpointError) {
    var got: Int?
    do throws(SystemCallError) {
      got = try store.withLock { (store) throws(SystemCallError) in
        if offset + count > Self.memoryByteLimit {
          return try store.file?.read(into: &buffer, range: 0..<count, at: offset)
        }
        buffer.copy(store.memory.bytes.sub(offset..<offset + count), at: 0)
        return count
      }
    } catch {
      throw .system(error, process: nil)
    }
    guard got == count else {
      let error = SystemCallError(call: "pread", subject: folder, errno: .ioError)
      throw .system(error, process: nil)
    }
  }
}
