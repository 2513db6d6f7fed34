import BlockStorage
import LinuxSystem
import MDFormat

/// Where on a member a reshape keeps what has to outlast a power cut until it is in its place. Device bytes.
struct ReshapeRoom: Equatable, Sendable {
  let range: Range<Int>

  private static let pageByteCount = 4096

  /// Blocks of data, with their sums and all that belongs to them, that there is room for.
  var stagedBlockCount: Int {
    // Each page of sums, of which there are two copies, says something of 1024 blocks.
    let pages = range.count / Self.pageByteCount - 2
    var count = max(0, pages) * 512 / 514
    while count > 0, count + 2 * ((count + 1023) / 1024) > pages { count -= 1 }
    return count
  }

  /// Sums that there is room for where no data is kept with them.
  var sumCount: Int { max(0, (range.count - ReshapeLog.headByteCount) / 4) }
}

extension Member {
  /// The room of the journal, which nobody writes while the shape changes. On a member without regions of
  /// ours what belongs to nobody: before the data, or behind what the array uses of it, whichever is more.
  ///
  /// - Parameter usedByteCount: of the data.
  func reshapeRoom(usedByteCount: Int) -> ReshapeRoom? {
    let (superblock, header) = (superblock, header)
    if let header {
      guard let region = header.range(of: .journal),
        region.count > JournalHeader.areaByteCount + 2 * ReshapeLog.headByteCount
      else { return nil }
      return ReshapeRoom(range: region.lowerBound + JournalHeader.areaByteCount..<region.upperBound)
    }
    let start = Int(superblock.dataOffsetSectors) * 512
    let before = start - headroom..<start
    let used = (start + usedByteCount + 4095) / 4096 * 4096
    var end = min(start + Int(superblock.dataSizeSectors) * 512, device.byteCount)
    let others = [superblock.superblockArea, superblock.badBlockLogArea].compactMap {
      $0?.lowerBound
    }
    for first in others + [superblock.bitmapSector].compactMap(\.self) where first * 512 >= start {
      end = min(end, first * 512)
    }
    let behind = used..<max(used, end / 4096 * 4096)
    let larger = before.count > behind.count ? before : behind
    return larger.count > 4 * ReshapeLog.headByteCount ? ReshapeRoom(range: larger) : nil
  }

  /// The same while a reshape is under way: its superblocks say what of the data is used.
  var reshapeRoom: ReshapeRoom? {
    reshapeRoom(usedByteCount: Int(clamping: superblock.sizeSectors).multipliedOrMax(by: 512))
  }
}
