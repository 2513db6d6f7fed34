import BlockStorage
import LinuxSystem
import MDFormat
import SystemPackage

/// Who can give the data of one slot as it is on the disks, without any log. Offsets are data bytes.
struct SlotSource: Sendable {
  private struct Holder: Sendable {
    let device: any BlockDevice
    let dataOffset: Int
    /// Data below is in sync.
    let validEnd: Int
    let badBlocks: [Range<Int>]

    func has(_ range: Range<Int>) -> Bool {
      range.upperBound <= validEnd && !badBlocks.contains { $0.overlaps(range) }
    }
  }

  private let holders: [Holder]

  init(_ assembly: Assembly, slot: Int) throws(RaidError) {
    let holder = assembly.holders[slot]
    var holders: [Holder] = []
    for index in [holder.member, holder.replacement].compactMap(\.self) {
      let end: Int
      switch assembly.standings[index] {
      case .active: end = .max
      case .rebuilding(_, let upTo), .replacement(_, let upTo): end = upTo
      default: continue
      }
      let probe = assembly.members[index]
      holders.append(
        Holder(
          device: probe.device, dataOffset: Int(probe.superblock.dataOffsetSectors) * 512,
          validEnd: end,
          badBlocks: try probe.requireBadBlocks(
            dataOffsetSectors: Int(probe.superblock.dataOffsetSectors))))
    }
    self.holders = holders
  }

  func has(_ range: Range<Int>) -> Bool { holders.contains { $0.has(range) } }

  /// Where what `has` says may change.
  var limits: [Int] {
    holders.flatMap { holder in
      [holder.validEnd] + holder.badBlocks.flatMap { [$0.lowerBound, $0.upperBound] }
    }
  }

  /// Fills a range of the buffer from data byte `offset` on.
  ///
  /// - Throws: `unreadable` where nobody has it.
  func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    guard let holder = holders.first(where: { $0.has(offset..<offset + range.count) }) else {
      throw .unreadable(offset: offset, errno: .ioError)
    }
    try holder.device.read(into: &buffer, range: range, at: holder.dataOffset + offset)
  }
}
