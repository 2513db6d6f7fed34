import BinaryCodec
import BlockStorage
import LinuxSystem

/// The devices of a search, read by blocks of 4 KiB; nothing is ever written.
///
/// When one member is missing, its content under the assumption of a single parity is the sum of all
/// others, whatever their order: `stand-in` reads give that.
final class MemberImages {
  static let blockByteCount = 4096

  let devices: [(any BlockDevice)?]
  /// The device that is not there, when it is exactly one.
  let missing: Int?
  private(set) var byteCountRead = 0
  private var buffer = AlignedBuffer(byteCount: MemberImages.blockByteCount)
  private let progress: RecoveryProgress
  private var reportedAt = 0
  private(set) var isStopped = false

  init(_ devices: [(any BlockDevice)?], progress: @escaping RecoveryProgress) {
    self.devices = devices
    let absent = devices.indices.filter { devices[$0] == nil }
    missing = absent.count == 1 ? absent[0] : nil
    self.progress = progress
  }

  var count: Int { devices.count }
  var present: [Int] { devices.indices.filter { devices[$0] != nil } }

  /// The size of the smallest device.
  var smallestByteCount: Int { devices.compactMap { $0?.byteCount }.min() ?? 0 }

  func byteCount(of member: Int) -> Int { devices[member]?.byteCount ?? smallestByteCount }

  /// Where on the device there is no data any more that begins at `start`, but what ftool keeps behind it; its end
  /// where nothing says so.
  ///
  /// The header at the end of a member outlives its superblock.
  func dataEnd(of member: Int, from start: Int) -> Int {
    let byteCount = byteCount(of: member)
    let place = RegionHeader.farOffset(memberByteCount: byteCount)
    guard let block = block(member, at: place),
      let header = try? RegionHeader(
        decoding: block.rawBytes, at: 0, deviceByteCount: byteCount)
    else { return byteCount }
    return header.regions.map(\.range.lowerBound).filter { $0 > start }.min() ?? place
  }

  /// A block; nil where it is not there or cannot be read.
  func block(_ member: Int, at offset: Int) -> [UInt8]? {
    bytes(member, offset..<offset.clampedAdding(Self.blockByteCount))
  }

  /// A block, that of a missing member computed from all others.
  func blockOrSum(_ member: Int, at offset: Int) -> [UInt8]? {
    if devices[member] != nil { return block(member, at: offset) }
    guard member == missing else { return nil }
    var sum = [UInt8](repeating: 0, count: Self.blockByteCount)
    for other in present {
      guard let block = block(other, at: offset) else { return nil }
      sum.add(block)
    }
    return sum
  }

  /// Any bytes, not more than a MiB; nil where they are not there or cannot be read.
  func bytes(_ member: Int, _ range: Range<Int>) -> [UInt8]? {
    guard let device = devices[member], range.lowerBound >= 0, range.upperBound <= device.byteCount,
      range.count <= 1 << 20
    else { return nil }
    if range.count > buffer.byteCount { buffer = AlignedBuffer(byteCount: 1 << 20) }
    var span = buffer.mutableBytes
    guard (try? device.read(into: &span, range: 0..<range.count, at: range.lowerBound)) != nil
    else {
      return nil
    }
    byteCountRead += range.count
    if byteCountRead - reportedAt >= 1 << 20 {
      reportedAt = byteCountRead
      if !progress(byteCountRead) { isStopped = true }
    }
    return Self.copy(buffer, range.count)
  }

  // A function of its own, because a span of a class's member cannot be lent any further.
  private static func copy(_ buffer: borrowing AlignedBuffer, _ count: Int) -> [UInt8] {
    buffer.bytes.array(0..<count)
  }

  /// Throws once somebody wants the search to end.
  func checkStop() throws(RaidError) {
    if !progress(byteCountRead) { isStopped = true }
    if isStopped { throw .interrupted }
  }
}

extension [UInt8] {
  /// Adds (exclusive or) another array of the same length.
  mutating func add(_ other: [UInt8]) {
    precondition(count == other.count)
    withMutableRawBytes { bytes in
      let words = bytes.byteCount & ~7
      for offset in stride(from: 0, to: words, by: 8) {
        let sum: UInt64 =
          bytes.bytes.integer(at: offset) ^ other.rawBytes.integer(at: offset, as: UInt64.self)
        bytes.store(sum, at: offset)
      }
      for offset in words..<bytes.byteCount {
        let sum: UInt8 = bytes.bytes.integer(at: offset) ^ other[offset]
        bytes.store(sum, at: offset)
      }
    }
  }

  var isAllZero: Bool { rawBytes.allZero }
}

extension Int {
  func clampedAdding(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
