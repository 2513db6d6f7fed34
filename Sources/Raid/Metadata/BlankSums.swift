import BinaryCodec
import BlockStorage
import LinuxSystem

/// Which blocks of sums nobody has written yet, a bit of 1 for each: so one that is all zeros is known to be new, or to
/// be lost.
///
/// Bits only go from 1 to 0, and only once what they are about is on stable storage. So nothing that was ever written is
/// called new by a map of which a write was cut off anywhere, nor by one that was lost and is all zeros itself.
///
/// ```
/// bit i: byte i / 8, value 1 << (i % 8), for block of sums i
/// ```
struct BlankSums {
  private static let blockByteCount = 4096
  private static let bitsPerBlock = blockByteCount * 8
  private let device: any BlockDevice
  private let region: Range<Int>
  /// What has been read of it, by block.
  private var blocks: [Int: [UInt64]] = [:]

  /// Room for the bits of a region of sums, in bytes.
  static func byteCount(sumsByteCount: Int) -> Int {
    let bits = sumsByteCount / BlockSums.blockByteCount
    return (bits + bitsPerBlock - 1) / bitsPerBlock * blockByteCount
  }

  /// - Parameter region: bytes of `device`, `byteCount` at least.
  init(device: any BlockDevice, region: Range<Int>) {
    self.device = device
    self.region = region
  }

  /// Whether nobody has written this block of sums.
  mutating func contains(_ number: Int) throws(DeviceError) -> Bool {
    let block = number / Self.bitsPerBlock
    if blocks[block] == nil { blocks[block] = try load(block) }
    let bit = number % Self.bitsPerBlock
    return blocks[block]![bit / 64] >> UInt64(bit % 64) & 1 != 0
  }

  /// Notes that these have been written, and are on stable storage.
  mutating func remove(_ numbers: RangeSet<Int>) throws(DeviceError) {
    var block = -1
    for number in numbers.ranges.joined() {
      if number / Self.bitsPerBlock != block {
        if block >= 0 { try store(block) }
        block = number / Self.bitsPerBlock
        // Who has the same member of an array between two shapes may have noted others.
        blocks[block] = try load(block)
      }
      let bit = number % Self.bitsPerBlock
      blocks[block]![bit / 64] &= ~(1 << UInt64(bit % 64))
    }
    if block >= 0 { try store(block) }
  }

  /// Calls everything new.
  mutating func fill() throws(DeviceError) {
    blocks.removeAll()
    try Self.fill(region, of: device)
  }

  /// Makes a map of a region, in which everything is new.
  static func fill(_ region: Range<Int>, of device: any BlockDevice) throws(DeviceError) {
    var buffer = AlignedBuffer(byteCount: blockByteCount)
    var bytes = buffer.mutableBytes
    for at in stride(from: 0, to: blockByteCount, by: 8) { bytes.store(UInt64.max, at: at) }
    for start in stride(from: region.lowerBound, to: region.upperBound, by: blockByteCount) {
      try device.write(bytes.bytes, range: 0..<blockByteCount, at: start)
    }
  }

  private func load(_ block: Int) throws(DeviceError) -> [UInt64] {
    var buffer = AlignedBuffer(byteCount: Self.blockByteCount)
    var bytes = buffer.mutableBytes
    do throws(DeviceError) {
      try device.read(into: &bytes, range: 0..<Self.blockByteCount, at: place(of: block))
    } catch {
      guard case .unreadable = error else { throw error }
      bytes.zero()
    }
    return (0..<Self.blockByteCount / 8).map { bytes.bytes.integer(at: 8 * $0, as: UInt64.self) }
  }

  private func store(_ block: Int) throws(DeviceError) {
    var buffer = AlignedBuffer(byteCount: Self.blockByteCount)
    var bytes = buffer.mutableBytes
    for (index, word) in blocks[block]!.enumerated() { bytes.store(word, at: 8 * index) }
    try device.write(bytes.bytes, range: 0..<Self.blockByteCount, at: place(of: block))
  }

  private func place(of block: Int) -> Int { region.lowerBound + block * Self.blockByteCount }
}
