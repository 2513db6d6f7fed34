import BinaryCodec
import BlockStorage
import LinuxSystem

extension Member {
  /// Reads a block; where that fails, sector by sector: a disk loses sectors, not blocks.
  ///
  /// - Returns: the sectors that came; none of a block that disagrees with its sum, or that has vanished.
  /// - Throws: what is no matter of single blocks: the member is gone.
  func readSectors(
    into bytes: inout MutableRawSpan, range: Range<Int>, at offset: Int, sums: SumScratch
  ) throws(DeviceError) -> SectorSet {
    switch try readChecked(into: &bytes, range: range, at: offset, sums: sums) {
    case .good, .unproven: return .all
    case .mismatch, .vanished: return SectorSet()
    case .unreadable: break
    }
    guard device.sectorByteCount <= SectorSet.byteCount else { return SectorSet() }
    var found = SectorSet()
    for sector in 0..<SectorSet.count {
      let start = sector * SectorSet.byteCount
      let end = min(start + SectorSet.byteCount, range.count)
      guard start < end else { break }
      do {
        try read(
          into: &bytes, range: range.lowerBound + start..<range.lowerBound + end,
          at: offset + start)
        found.insert(sector)
      } catch .unreadable {
        continue
      }
    }
    return found
  }

  /// Whether the member keeps a sum for the block at a data offset that is believed, and these bytes
  /// agree with it.
  func confirms(_ bytes: RawSpan, range: Range<Int>, at offset: Int, sums scratch: SumScratch)
    -> Bool
  {
    guard hasTrustedSums else { return false }
    do throws(DeviceError) {
      return try check(bytes, range: range, at: offset, sums: scratch) == .good
    } catch {
      return false  // a block of sums that can't be read confirms nothing
    }
  }
}
