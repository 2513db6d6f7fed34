import BinaryCodec
import LinuxSystem
import SystemPackage

/// Pages that can be read only while the tree stands still, kept until they are written: a little of them in
/// memory, the rest in a file without a name.
final class HeldMemory {
  private let folder: String
  private var file: OwnedDescriptor?
  private let memory = Monitor(AlignedBuffer(byteCount: memoryByteLimit))
  private var byteCount = 0

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
      offsets[piece.areas[0].lowerBound] = byteCount
      try append(buffer.bytes.sub(0..<piece.byteCount))
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

  private func append(_ bytes: RawSpan) throws(CheckpointError) {
    if byteCount + bytes.byteCount <= Self.memoryByteLimit {
      memory.withLock { memory in
        var target = memory.mutableBytes
        target.copy(bytes, at: byteCount)
      }
    } else {
      do throws(SystemCallError) {
        if file == nil { file = try Self.makeFile(in: folder) }
        try file?.write(bytes, range: 0..<bytes.byteCount, at: byteCount)
      } catch {
        throw .system(error, process: nil)
      }
    }
    byteCount += bytes.byteCount
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
    if offset + count <= Self.memoryByteLimit {
      memory.withLock { buffer.copy($0.bytes.sub(offset..<offset + count), at: 0) }
      return
    }
    var got: Int?
    do throws(SystemCallError) {
      got = try file?.read(into: &buffer, range: 0..<count, at: offset)
    } catch {
      throw .system(error, process: nil)
    }
    guard got == count else {
      let error = SystemCallError(call: "pread", subject: folder, errno: .ioError)
      throw .system(error, process: nil)
    }
  }
}
