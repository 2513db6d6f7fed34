import BlockStorage
import Raid
import RaidGeometry

/// A layout said in one word, for arrays whose superblocks are gone or wrong:
/// `level=5,chunk=64K,layout=left-symmetric,data-offset=1M,size=10G`.
///
/// `level` must be there; `chunk` defaults to 512K, `layout` to the level's usual one, `data-offset` to 0,
/// `size` (the data bytes used of each member) to all up to the members' ends. `data-offset` and `size`
/// may be lists with a value for each member, `1M:1M:2M`.
package struct AssumedLayout: Equatable, Sendable {
  /// The level; for `ec` with its number of parities.
  package var level: RaidLevel
  /// The superblock's layout word.
  package var layout: UInt32
  /// 0 where the level has no chunks.
  package var chunkByteCount: Int
  /// One for all members, or one for each.
  package var dataOffsets: [Int]
  /// None, one for all members, or one for each.
  package var memberByteCounts: [Int]

  /// What a candidate assumes.
  package init(_ candidate: RecoveryCandidate) {
    level = candidate.shape.level
    layout = candidate.shape.layout
    chunkByteCount = candidate.shape.chunkByteCount
    dataOffsets = Self.shortened(candidate.dataOffsets)
    memberByteCounts = Self.shortened(candidate.shape.memberByteCounts)
  }

  private static func shortened(_ values: [Int]) -> [Int] {
    Set(values).count == 1 ? [values[0]] : values
  }

  /// Reads the word.
  init(parsing text: String) throws(InvalidValue) {
    var fields: [String: String] = [:]
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
      guard pair.count == 2, ["level", "chunk", "layout", "data-offset", "size"].contains(pair[0])
      else {
        throw InvalidValue(
          "'\(part)' is none of level=, chunk=, layout=, data-offset=, size=")
      }
      guard fields.updateValue(pair[1], forKey: pair[0]) == nil else {
        throw InvalidValue("'\(pair[0])' is said twice")
      }
    }
    guard let levelText = fields["level"] else {
      throw InvalidValue("level= must be said, such as level=5,chunk=64K")
    }
    let choice = try LevelChoice(parsing: levelText)
    level = choice.engine
    layout = try Self.word(fields["layout"], choice)
    if choice.hasChunks {
      chunkByteCount =
        try fields["chunk"].map { (text) throws(InvalidValue) in
          try parsePositiveSize(text)
        } ?? 512 << 10
    } else {
      chunkByteCount =
        try fields["chunk"].map { (text) throws(InvalidValue) in
          try parseSize(text)
        } ?? 0
    }
    dataOffsets = try Self.sizes(fields["data-offset"]) ?? [0]
    memberByteCounts = try Self.sizes(fields["size"]) ?? []
    guard (dataOffsets + memberByteCounts).allSatisfy({ $0 % 512 == 0 }) else {
      throw InvalidValue("data-offset and size are multiples of 512")
    }
  }

  /// The layout word of a name; md's DDF and `-6` layouts have names here, too.
  static func word(_ text: String?, _ level: LevelChoice) throws(InvalidValue) -> UInt32 {
    guard let text else { return level.word(nil) }
    let parityCount = level.engine.parityCount
    if let rotation = ParityRotation(name: text), level == .raid5 || level == .raid6 {
      guard rotation.exists(withParityCount: parityCount) else {
        throw InvalidValue("level \(level) has no layout '\(text)'")
      }
      return rotation.rawValue
    }
    let layout = try LayoutChoice(parsing: text)
    guard layout.fits(level) else { throw InvalidValue("level \(level) has no layout '\(layout)'") }
    return layout.word
  }

  private static func sizes(_ text: String?) throws(InvalidValue) -> [Int]? {
    guard let text else { return nil }
    return try text.split(separator: ":", omittingEmptySubsequences: false).map {
      (part) throws(InvalidValue) in try parseSize(String(part))
    }
  }
}

extension AssumedLayout: CustomStringConvertible {
  /// The word, as it can be given again.
  package var description: String {
    var parts = ["level=\(levelText)"]
    if chunkByteCount > 0 { parts.append("chunk=\(Self.text(chunkByteCount))") }
    if let layoutText { parts.append("layout=\(layoutText)") }
    parts.append("data-offset=" + dataOffsets.map(Self.text).joined(separator: ":"))
    if !memberByteCounts.isEmpty {
      parts.append("size=" + memberByteCounts.map(Self.text).joined(separator: ":"))
    }
    return parts.joined(separator: ",")
  }

  /// As `--level` takes it; ec:K+M needs the number of members, and stands here with K = 1.
  package var levelText: String {
    switch level {
    case .linear: "linear"
    case .erasureCoded(let parityCount): "ec:1+\(parityCount)"
    default: "\(level.number)"
    }
  }

  /// As `--layout` takes it; nil where there is no choice.
  package var layoutText: String? {
    switch level {
    case .singleParity, .doubleParity: return ParityRotation(rawValue: layout)?.name
    case .striped: return layout == 1 ? "original" : layout == 2 ? "alternate" : nil
    case .mirroredStripes:
      let (near, far) = (Int(layout & 0xff), Int(layout >> 8 & 0xff))
      if far == 1 { return "near=\(near)" }
      return layout & 0x10000 != 0 ? "offset=\(far)" : "far=\(far)"
    default: return nil
    }
  }

  /// A size in the largest unit that says it exactly.
  static func text(_ byteCount: Int) -> String {
    for (shift, letter) in [(30, "G"), (20, "M"), (10, "K")]
    where byteCount > 0 && byteCount & (1 << shift - 1) == 0 {
      return "\(byteCount >> shift)\(letter)"
    }
    return "\(byteCount)"
  }
}

extension AssumedLayout {
  /// Opens the array that these devices make under this layout, for reading only.
  ///
  /// - Parameters:
  ///   - devices: in the order of their slots; nil for one that is missing.
  ///   - salvages: opens it also when data is lost.
  package func open(
    _ devices: [(any BlockDevice)?], salvages: Bool = false
  ) throws(Failure) -> RaidArray {
    let count = devices.count
    guard dataOffsets.count == 1 || dataOffsets.count == count,
      memberByteCounts.count <= 1 || memberByteCounts.count == count
    else {
      throw Failure(
        .usage, "the assumed layout lists values for other than \(count) members",
        hint: "say data-offset and size once for all members, or once for each")
    }
    let offsets =
      dataOffsets.count == 1 ? Array(repeating: dataOffsets[0], count: count) : dataOffsets
    let sizes = try sizes(devices, offsets)
    let shape: ArrayShape
    do throws(ArrayShapeError) {
      shape = try ArrayShape(
        level: level, layout: layout, chunkByteCount: chunkByteCount, slotCount: count,
        memberByteCounts: sizes)
    } catch {
      throw Failure(.usage, "the assumed layout makes no array: \(error)")
    }
    return try Self.array(shape, devices, offsets, salvages: salvages)
  }

  private static func array(
    _ shape: ArrayShape, _ devices: [(any BlockDevice)?], _ offsets: [Int],
    salvages: Bool
  ) throws(Failure) -> RaidArray {
    do throws(RaidError) {
      return try RaidArray.assumed(
        shape: shape, devices: devices, dataOffsets: offsets,
        salvages: salvages)
    } catch {
      throw Failure(error)
    }
  }

  /// Data bytes of each member.
  private func sizes(
    _ devices: [(any BlockDevice)?], _ offsets: [Int]
  ) throws(Failure) -> [Int] {
    if memberByteCounts.count == devices.count { return memberByteCounts }
    if let size = memberByteCounts.first { return Array(repeating: size, count: devices.count) }
    var rooms: [Int?] = []
    for (device, offset) in zip(devices, offsets) {
      guard let device else {
        rooms.append(nil)
        continue
      }
      guard offset < device.byteCount else {
        throw Failure(.usage, "\(device.name) ends before its data would begin")
      }
      rooms.append((device.byteCount - offset) / 512 * 512)
    }
    let smallest = rooms.compactMap { $0 }.min() ?? 0
    if level.usesWholeMembers, rooms.contains(nil), Set(rooms.compactMap { $0 }).count > 1 {
      throw Failure(
        .usage, "the members have different sizes, and nothing tells that of one that is missing",
        hint: "say them in the layout, in the order of the slots: size=10G:20G:10G")
    }
    return rooms.map { level.usesWholeMembers ? $0 ?? smallest : smallest }
  }
}
