import BinaryCodec
import RaidGeometry

// Some blocks say where they belong. A copy of an ext superblock says the number of its block group, an XFS allocation
// group header the number of its group, an XFS inode its own number, an NTFS file record its number, a GPT header its
// sector. Under the right layout all of one kind lie where they say, up to one common start (of the filesystem in the
// array); under a wrong one those of different chunks contradict each other. A tar header says how long its file is, and
// so where the next header is.

/// Blocks on the members that say where in the array they belong.
struct ContentAnchors {
  struct Anchor {
    let member: Int
    let offset: Int
    /// Byte of its filesystem where it says it lies.
    let stated: Int
  }

  struct Group {
    let kind: String
    /// Says how many bytes the filesystem has, if it does.
    var byteCount: Int?
    /// Whether it is normally the whole array or a partition, so that its start means something.
    let startsArray: Bool
    var anchors: [Anchor] = []
  }

  struct ArchiveHeader {
    let member: Int
    let offset: Int
    /// Bytes from this header to the next.
    let distance: Int
  }

  private(set) var groups: [Group] = []
  private(set) var archive: [ArchiveHeader] = []
  private var archivePlaces: Set<Int> = []
  private(set) var scanned: [Range<Int>] = []
  private static let anchorLimit = 4096

  /// - Parameter byteLimit: how much of all members together may be read.
  init(_ images: MemberImages, byteLimit: Int) throws(RaidError) {
    let members = images.present
    guard !members.isEmpty else { return }
    let share = max(1 << 20, byteLimit / members.count)
    let longest = members.map { images.byteCount(of: $0) }.max() ?? 0
    scanned = Self.windows(byteCount: longest, limit: share)
    var inodes: [(Int, Int, UInt64)] = []
    var groupHeaders: [(Int, Int, Int)] = []
    var xfs: XFSShape?
    for member in members {
      for window in scanned {
        for start in stride(from: window.lowerBound, to: window.upperBound, by: 1 << 18) {
          try images.checkStop()
          let end = min(start + (1 << 18), window.upperBound, images.byteCount(of: member))
          guard end - start >= 512, let bytes = images.bytes(member, start..<end),
            !bytes.isAllZero
          else { continue }
          let raw = bytes.rawBytes
          for place in stride(from: 0, through: bytes.count - 512, by: 512) {
            let word: UInt32 = raw.integer(at: place)
            let at = start + place
            switch word {
            case 0x4253_4658:  // XFSB
              if xfs == nil { xfs = XFSShape(raw, place) }
            case 0x4641_4758:  // XAGF
              groupHeaders.append((member, at, Int(UInt32(bigEndian: raw.integer(at: place + 8)))))
            case 0x454c_4946:  // FILE
              note(ntfs: raw, place, member, at)
            case 0x2049_4645:  // EFI PART
              note(gpt: raw, place, member, at)
            default: break
            }
            if word & 0xffff == 0x4e49, inodes.count < Self.anchorLimit {  // IN
              if raw.integer(at: place + 4, as: UInt8.self) == 3 {
                inodes.append((member, at, UInt64(bigEndian: raw.integer(at: place + 152))))
              }
            }
            if place % 1024 == 0, raw.integer(at: place + 56, as: UInt16.self) == 0xef53 {
              note(ext: raw, place, member, at)
            }
            if raw.integer(at: place + 257, as: UInt32.self) == 0x6174_7375 {  // usta
              note(tar: bytes, place, member, at)
            }
          }
        }
      }
    }
    if let xfs { note(xfs, groupHeaders, inodes) }
    groups.removeAll { $0.anchors.isEmpty }
  }

  /// The start, and pieces spread over the rest.
  static func windows(byteCount: Int, limit: Int) -> [Range<Int>] {
    if byteCount <= limit { return byteCount > 0 ? [0..<byteCount] : [] }
    let head = limit / 2 & ~0x3ffff
    let count = max(1, (limit - head) >> 18)
    let step = max(1 << 18, (byteCount - head) / count & ~0x3ffff)
    var windows = [0..<head]
    for start in stride(from: head, to: byteCount, by: step) {
      windows.append(start..<min(start + (1 << 18), byteCount))
    }
    return windows
  }

  func wasScanned(_ offset: Int) -> Bool { scanned.contains { $0.contains(offset) } }

  func isArchiveHeader(_ member: Int, _ offset: Int) -> Bool {
    archivePlaces.contains(offset << 8 | member)
  }

  private mutating func add(
    _ kind: String, _ startsArray: Bool, _ byteCount: Int?, _ anchor: Anchor
  ) {
    if let index = groups.firstIndex(where: { $0.kind == kind && $0.byteCount == byteCount }) {
      if groups[index].anchors.count < Self.anchorLimit { groups[index].anchors.append(anchor) }
    } else if groups.count < 64 {
      groups.append(
        Group(kind: kind, byteCount: byteCount, startsArray: startsArray, anchors: [anchor]))
    }
  }

  // MARK: What each kind says

  private mutating func note(ext raw: RawSpan, _ place: Int, _ member: Int, _ at: Int) {
    let exponent: UInt32 = raw.integer(at: place + 24)
    let blocksPerGroup = Int(raw.integer(at: place + 32, as: UInt32.self))
    let first = Int(raw.integer(at: place + 20, as: UInt32.self))
    let group = Int(raw.integer(at: place + 90, as: UInt16.self))
    let inodesPerGroup = Int(raw.integer(at: place + 40, as: UInt32.self))
    guard exponent <= 6, first <= 1, blocksPerGroup > 0, blocksPerGroup <= 8 * 65536,
      inodesPerGroup > 0
    else { return }
    let block = 1024 << Int(exponent)
    var blocks = Int(raw.integer(at: place + 4, as: UInt32.self))
    if raw.integer(at: place + 96, as: UInt32.self) & 0x80 != 0 {
      blocks |= Int(raw.integer(at: place + 336, as: UInt32.self) & 0xffff) << 32
    }
    guard blocks > 0, blocks < 1 << 44, group * blocksPerGroup < blocks else { return }
    let stated = group == 0 ? 1024 : (first + group * blocksPerGroup) * block
    add("ext", true, blocks * block, Anchor(member: member, offset: at, stated: stated))
  }

  private struct XFSShape {
    let blockByteCount: Int
    let groupBlocks: Int
    let sectorByteCount: Int
    let inodeByteCount: Int
    let inodesPerBlockLog: Int
    let groupBlocksLog: Int
    let byteCount: Int

    init?(_ raw: RawSpan, _ place: Int) {
      func big32(_ at: Int) -> Int { Int(UInt32(bigEndian: raw.integer(at: place + at))) }
      func byte(_ at: Int) -> Int { Int(raw.integer(at: place + at, as: UInt8.self)) }
      blockByteCount = big32(4)
      let blocks: UInt64 = UInt64(bigEndian: raw.integer(at: place + 8))
      groupBlocks = big32(84)
      sectorByteCount = Int(UInt16(bigEndian: raw.integer(at: place + 102)))
      inodeByteCount = Int(UInt16(bigEndian: raw.integer(at: place + 104)))
      inodesPerBlockLog = byte(123)
      groupBlocksLog = byte(124)
      guard [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536].contains(blockByteCount),
        blocks > 0, blocks < 1 << 44, groupBlocks > 0, sectorByteCount >= 512,
        sectorByteCount <= 32768, inodeByteCount >= 256, inodeByteCount <= 2048,
        inodesPerBlockLog <= 8, groupBlocksLog <= 31
      else { return nil }
      byteCount = Int(blocks) * blockByteCount
    }
  }

  private mutating func note(
    _ xfs: XFSShape, _ headers: [(Int, Int, Int)], _ inodes: [(Int, Int, UInt64)]
  ) {
    let groupLimit = xfs.byteCount / xfs.blockByteCount / xfs.groupBlocks
    for (member, at, number) in headers where number <= groupLimit {
      let stated = number * xfs.groupBlocks * xfs.blockByteCount + xfs.sectorByteCount
      add("XFS", true, xfs.byteCount, Anchor(member: member, offset: at, stated: stated))
    }
    for (member, at, number) in inodes where number < 1 << 48 {
      let number = Int(number)
      let index = number & (1 << xfs.inodesPerBlockLog - 1)
      let block = number >> xfs.inodesPerBlockLog & (1 << xfs.groupBlocksLog - 1)
      let group = number >> (xfs.inodesPerBlockLog + xfs.groupBlocksLog)
      guard group <= groupLimit, block < xfs.groupBlocks else { continue }
      let stated =
        (group * xfs.groupBlocks + block) * xfs.blockByteCount + index * xfs.inodeByteCount
      if stated < xfs.byteCount {
        add("XFS", true, xfs.byteCount, Anchor(member: member, offset: at, stated: stated))
      }
    }
  }

  private mutating func note(ntfs raw: RawSpan, _ place: Int, _ member: Int, _ at: Int) {
    let number = Int(raw.integer(at: place + 44, as: UInt32.self))
    let size = Int(raw.integer(at: place + 28, as: UInt32.self))
    guard size == 1024 || size == 4096, number < 1 << 28 else { return }
    add("NTFS file records", false, nil, Anchor(member: member, offset: at, stated: number * size))
  }

  private mutating func note(gpt raw: RawSpan, _ place: Int, _ member: Int, _ at: Int) {
    let own: UInt64 = raw.integer(at: place + 24)
    let other: UInt64 = raw.integer(at: place + 32)
    guard raw.integer(at: place + 4, as: UInt32.self) == 0x5452_4150, own < 1 << 50,
      other < 1 << 50
    else { return }
    add(
      "GPT", true, (Int(max(own, other)) + 1) * 512,
      Anchor(member: member, offset: at, stated: Int(own) * 512))
  }

  private mutating func note(tar bytes: [UInt8], _ place: Int, _ member: Int, _ at: Int) {
    guard archive.count < Self.anchorLimit else { return }
    guard let size = TarHeader.contentByteCount(bytes, at: place) else { return }
    archivePlaces.insert(at << 8 | member)
    archive.append(
      ArchiveHeader(member: member, offset: at, distance: 512 + (size + 511) / 512 * 512))
  }
}

/// A header of a tar archive.
enum TarHeader {
  /// The size of the file behind the header; nil where there is no header.
  static func contentByteCount(_ bytes: [UInt8], at place: Int) -> Int? {
    guard place + 512 <= bytes.count,
      Array(bytes[place + 257..<place + 262]) == Array("ustar".utf8),
      let stated = octal(bytes[place + 148..<place + 156])
    else { return nil }
    var sum = 8 * 32
    for index in 0..<512 where !(148..<156).contains(index) { sum += Int(bytes[place + index]) }
    guard sum == stated else { return nil }
    if bytes[place + 124] & 0x80 != 0 {  // GNU's binary sizes
      var size = 0
      for byte in bytes[place + 128..<place + 136] {
        if size >= 1 << 48 { return nil }
        size = size << 8 | Int(byte)
      }
      return size
    }
    guard let size = octal(bytes[place + 124..<place + 136]) else { return nil }
    // Links and folders have no content, whatever their size field says.
    return [0, 0x30, 0x37, 0x78, 0x67, 0x4c, 0x4b].contains(bytes[place + 156]) ? size : 0
  }

  private static func octal(_ field: ArraySlice<UInt8>) -> Int? {
    var value = 0
    var digits = 0
    for byte in field {
      if byte == 32 && digits == 0 { continue }
      guard (48...55).contains(byte) else { break }
      value = value << 3 | Int(byte - 48)
      digits += 1
    }
    return digits > 0 ? value : nil
  }
}

extension ContentAnchors {
  /// What the blocks that say where they belong have to say about a candidate.
  func judge(_ candidate: inout RecoveryCandidate, _ images: MemberImages) {
    let reader = CandidateReader(images, candidate)
    for group in groups { judge(group, &candidate, reader) }
    judgeArchive(&candidate, reader)
  }

  private func judge(
    _ group: Group, _ candidate: inout RecoveryCandidate, _ reader: CandidateReader
  ) {
    // Those in one chunk agree with each other anyway, so they count once for each start.
    var starts: [Int: Set<Int>] = [:]
    var seen: Set<Int> = []
    let unit = max(candidate.shape.chunkByteCount, 65536)
    for anchor in group.anchors {
      guard let offset = reader.arrayOffset(ofDevice: anchor.member, at: anchor.offset) else {
        continue
      }
      let place = offset / unit
      seen.insert(place)
      starts[offset - anchor.stated, default: []].insert(place)
    }
    let ranked = starts.sorted { ($0.value.count, -abs($0.key)) > ($1.value.count, -abs($1.key)) }
    guard let (start, places) = ranked.first else { return }
    let hits = places.count
    let misses = seen.subtracting(places).count
    if seen.count > 1 {
      let weight = max(-30, min(90, 8 * Double(hits - 1) - 3 * Double(misses)))
      candidate.note(
        .filesystem, weight,
        "\(hits) of \(seen.count) places where \(group.kind) says its own position agree")
    }
    guard group.startsArray else { return }
    if start == 0 {
      candidate.note(.filesystem, 8, "\(group.kind) begins where the array begins")
    } else if start < 0 {
      candidate.note(.filesystem, -20, "\(group.kind) would begin before the array")
    }
    if let size = group.byteCount, start >= 0 {
      let rest = candidate.shape.byteCount - start - size
      if rest < 0 {
        candidate.note(.filesystem, -25, "\(group.kind) would reach past the array's end")
      } else if rest < size / 64 + (1 << 20), hits > 0 {
        candidate.note(.filesystem, 6, "\(group.kind) is as large as the array")
      }
    }
  }

  private func judgeArchive(_ candidate: inout RecoveryCandidate, _ reader: CandidateReader) {
    let unit = candidate.shape.chunkByteCount
    guard unit > 0, !archive.isEmpty else { return }
    var hits = 0
    var misses = 0
    let step = max(1, archive.count / 1000)
    for index in stride(from: 0, to: archive.count, by: step) {
      let header = archive[index]
      guard let offset = reader.arrayOffset(ofDevice: header.member, at: header.offset) else {
        continue
      }
      let next = offset.clampedAdding(header.distance)
      guard next < candidate.shape.byteCount, next / unit != offset / unit,
        let place = reader.place(of: next), wasScanned(place.offset)
      else { continue }
      if isArchiveHeader(place.device, place.offset) { hits += 1 } else { misses += 1 }
    }
    guard hits + misses > 0 else { return }
    candidate.note(
      .sequence, max(-60, min(120, 5 * Double(hits) - 4 * Double(misses))),
      "\(hits) of \(hits + misses) tar headers lie where the header before says")
  }
}

extension CandidateReader {
  /// The device and its offset at which a byte of the array lies.
  func place(of offset: Int) -> (device: Int, offset: Int)? {
    guard offset < shape.byteCount else { return nil }
    switch shape.placement {
    case .copies(let copies):
      var places: [CopyPlacement.Place] = []
      _ = copies.locate(offset, into: &places)
      for place in places {
        if let device = order[place.slot], images.devices[device] != nil {
          return (device, dataOffsets[place.slot] + place.offset)
        }
      }
      return nil
    case .parity(let parity):
      let row = offset / parity.rowByteCount
      let column = offset % parity.rowByteCount / parity.chunkByteCount
      let slot = parity.pattern(ofRow: row).dataSlots[column]
      guard let device = order[slot], images.devices[device] != nil else { return nil }
      return (
        device, dataOffsets[slot] + row * parity.chunkByteCount + offset % parity.chunkByteCount
      )
    }
  }
}
