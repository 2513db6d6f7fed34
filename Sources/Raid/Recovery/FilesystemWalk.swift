import BinaryCodec
import RaidGeometry

/// Reads an ext filesystem through a candidate's layout: tables, folders and their names for themselves. In a
/// wrong layout a folder's block is not where its inode says, or is another folder's.
struct ExtWalk {
  private(set) var foldersRight = 0
  private(set) var foldersWrong = 0
  private(set) var copiesRight = 0
  private(set) var copiesWrong = 0

  private let reader: CandidateReader
  private let start: Int
  private let blockByteCount: Int
  private let firstBlock: Int
  private let blocksPerGroup: Int
  private let inodesPerGroup: Int
  private let inodeByteCount: Int
  private let descriptorByteCount: Int
  private let groupCount: Int
  private let blockCount: Int
  private let identity: [UInt8]

  /// - Parameter start: where the filesystem starts in the array.
  init?(_ reader: CandidateReader, start: Int) {
    guard let superblock = reader.bytes(start + 1024..<start + 2048) else { return nil }
    let raw = superblock.rawBytes
    func word(_ at: Int) -> Int { Int(raw.integer(at: at, as: UInt32.self)) }
    guard raw.integer(at: 56, as: UInt16.self) == 0xef53, word(24) <= 6 else { return nil }
    blockByteCount = 1024 << word(24)
    firstBlock = word(20)
    blocksPerGroup = word(32)
    inodesPerGroup = word(40)
    let is64 = word(96) & 0x80 != 0
    inodeByteCount = word(76) == 0 ? 128 : Int(raw.integer(at: 88, as: UInt16.self))
    let stated = Int(raw.integer(at: 254, as: UInt16.self))
    descriptorByteCount = is64 && stated >= 64 ? stated : 32
    blockCount = word(4) | (is64 ? word(336) << 32 : 0)
    guard firstBlock <= 1, blocksPerGroup > 0, blocksPerGroup <= 8 * 65536, inodesPerGroup > 0,
      inodeByteCount >= 128, inodeByteCount <= 4096, descriptorByteCount <= 1024,
      blockCount > 0, blockCount < 1 << 44
    else { return nil }
    groupCount = (blockCount - firstBlock + blocksPerGroup - 1) / blocksPerGroup
    identity = Array(superblock[104..<120])
    self.reader = reader
    self.start = start
    walk()
    checkCopies()
  }

  private func block(_ number: Int) -> [UInt8]? {
    guard number > 0, number < blockCount else { return nil }
    let offset = start + number * blockByteCount
    return reader.bytes(offset..<offset + blockByteCount)
  }

  private func inode(_ number: Int) -> [UInt8]? {
    let group = (number - 1) / inodesPerGroup
    guard number > 0, group < groupCount else { return nil }
    let table = start + (firstBlock + 1) * blockByteCount + group * descriptorByteCount
    guard let descriptor = reader.bytes(table..<table + descriptorByteCount) else { return nil }
    let raw = descriptor.rawBytes
    var first = Int(raw.integer(at: 8, as: UInt32.self))
    if descriptorByteCount >= 64 { first |= Int(raw.integer(at: 40, as: UInt32.self)) << 32 }
    guard first > 0, first < blockCount else { return nil }
    let offset =
      start + first * blockByteCount + (number - 1) % inodesPerGroup * inodeByteCount
    return reader.bytes(offset..<offset + inodeByteCount)
  }

  /// The first block of a file; nil where that takes more steps.
  private func firstBlock(of inode: [UInt8]) -> Int? {
    let raw = inode.rawBytes
    if raw.integer(at: 32, as: UInt32.self) & 0x80000 == 0 {
      return Int(raw.integer(at: 40, as: UInt32.self))
    }
    guard raw.integer(at: 40, as: UInt16.self) == 0xf30a,
      raw.integer(at: 42, as: UInt16.self) > 0, raw.integer(at: 46, as: UInt16.self) == 0
    else { return nil }
    let high = Int(raw.integer(at: 58, as: UInt16.self))
    return high << 32 | Int(raw.integer(at: 60, as: UInt32.self))
  }

  private mutating func walk() {
    var pending = [2]
    var seen: Set<Int> = [2]
    var visited = 0
    while let number = pending.popLast(), visited < 200 {
      visited += 1
      guard let inode = inode(number) else { continue }
      let raw = inode.rawBytes
      guard raw.integer(at: 0, as: UInt16.self) & 0xf000 == 0x4000 else {
        foldersWrong += 1
        continue
      }
      if raw.integer(at: 32, as: UInt32.self) & 0x1000_0000 != 0 { continue }  // content inside
      guard let first = firstBlock(of: inode) else {
        foldersWrong += raw.integer(at: 46, as: UInt16.self) == 0 ? 1 : 0
        continue
      }
      guard let folder = block(first) else {
        foldersWrong += 1
        continue
      }
      let entries = folder.rawBytes
      guard Int(entries.integer(at: 0, as: UInt32.self)) == number,
        entries.integer(at: 6, as: UInt8.self) == 1, entries.integer(at: 8, as: UInt8.self) == 0x2e
      else {
        foldersWrong += 1
        continue
      }
      foldersRight += 1
      var place = 12
      while place + 8 <= folder.count {
        let length = Int(entries.integer(at: place + 4, as: UInt16.self))
        guard length >= 8 else { break }
        let child = Int(entries.integer(at: place, as: UInt32.self))
        let isFolder = entries.integer(at: place + 7, as: UInt8.self) == 2
        if place > 12, isFolder, child > 2, seen.count < 1000, seen.insert(child).inserted {
          pending.append(child)
        }
        place += length
      }
    }
  }

  /// Groups 1 and the powers of 3, 5 and 7 have copies of the superblock in all but odd filesystems.
  private mutating func checkCopies() {
    for group in [1, 3, 5, 7, 9, 25, 27, 49, 81, 125, 243, 343] where group < groupCount {
      let offset = start + (firstBlock + group * blocksPerGroup) * blockByteCount
      guard let copy = reader.bytes(offset..<offset + 1024) else { continue }
      let isCopy =
        copy.rawBytes.integer(at: 56, as: UInt16.self) == 0xef53
        && Array(copy[104..<120]) == identity
        && Int(copy.rawBytes.integer(at: 90, as: UInt16.self)) == group
      if isCopy { copiesRight += 1 } else { copiesWrong += 1 }
    }
  }
}

/// Follows an archive from its first header through a candidate's layout.
struct ArchiveWalk {
  private(set) var headerCount = 0
  private(set) var breaks = 0

  init?(_ reader: CandidateReader) {
    var offset = 0
    while headerCount < 2000, let bytes = reader.bytes(offset..<offset + 512) {
      guard let size = TarHeader.contentByteCount(bytes, at: 0) else {
        if headerCount == 0 { return nil }
        if !bytes.isAllZero { breaks = 1 }
        return
      }
      headerCount += 1
      let next = offset.clampedAdding(512 + size.clampedAdding(511) / 512 * 512)
      guard next <= reader.shape.byteCount - 512, next > offset else { return }
      offset = next
    }
  }
}
