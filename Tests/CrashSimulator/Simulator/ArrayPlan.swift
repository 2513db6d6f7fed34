import FToolTestSupport
import MDFormat
import Raid
import RaidGeometry

/// What a simulated array is: as small as its level allows, mostly.
struct ArrayPlan: Sendable {
  var level = RaidLevel.singleParity
  var layout: UInt32 = 0
  var chunkByteCount = 0
  var slotCount = 3
  var dataByteCount = 0
  var version = MDMetadataVersion.v1_2
  var hasSums = true
  var hasBitmap = false
  var hasJournal = false
  /// Where the data begins, where it is to have room to move.
  var dataOffset: Int?

  /// - Parameter isTiny: the least that there is, for going through everything.
  init(_ cell: Cell, isTiny: Bool, using random: inout SeededGenerator) {
    hasBitmap = cell.hasBitmap
    hasSums = Int.random(in: 0..<4, using: &random) > 0 || cell.journal == .internal
    hasJournal = cell.journal == .internal
    chunkByteCount = isTiny ? 4096 : [4096, 4096, 8192].randomElement(using: &random)!
    setLevel(cell, &random)
    // Parts of 64 KiB are marked as being written: in a wide array there are several.
    let isWide = !isTiny && Int.random(in: 0..<5, using: &random) == 0
    // What is written at once is a sector: a block of sums can be torn only where it has many.
    let isDeep = !isTiny && !isWide && hasSums && Int.random(in: 0..<12, using: &random) == 0
    let rowCount =
      isTiny ? 2 : isWide ? (192 << 10) / 4096 : Int.random(in: 3...6, using: &random)
    dataByteCount = isDeep ? 1 << 20 : rowCount * max(chunkByteCount, 4096)
    switch level {
    case .linear:
      if !isTiny { dataByteCount += 512 * Int.random(in: 0...7, using: &random) }
    case .mirrored:
      // From 64 KiB on, mirrors have multiples of that.
      if isWide { dataByteCount = 192 << 10 }
    case .mirroredStripes: dataByteCount *= 2
    default: break
    }
    if cell.operation == .grow {
      // The least that it needs to move, or a little more: so it moves in many steps.
      let unit = level == .mirroredStripes ? 16384 : 8192
      if !isDeep { dataByteCount = (isTiny ? 2 : rowCount) * 8192 }
      dataByteCount = (dataByteCount + unit - 1) / unit * unit
      let stepLimit = isTiny ? 1 : Int.random(in: 1...3, using: &random)
      dataOffset = (16 << 10) + unit * stepLimit * (isDeep ? 4 : 1)
      if !isTiny { version = [.v1_2, .v1_1].randomElement(using: &random)! }
      if hasSums, Int.random(in: 0..<3, using: &random) == 0 {
        // Nothing to move into: rows go by way of spare room.
        if Bool.random(using: &random) { version = .v1_0 }
        dataOffset = version == .v1_0 ? 0 : 16 << 10
      }
    } else if !isTiny {
      version = [.v1_2, .v1_2, .v1_1, .v1_0].randomElement(using: &random)!
    }
  }

  private mutating func setLevel(_ cell: Cell, _ random: inout SeededGenerator) {
    switch cell.level {
    case .linear:
      (level, chunkByteCount) = (.linear, 0)
    case .raid0:
      (level, layout) = (.striped, UInt32.random(in: 1...2, using: &random))
    case .raid1:
      (level, chunkByteCount) = (.mirrored, 0)
      let needsThree = cell.health == .degraded && cell.operation != .write
      slotCount = needsThree ? 3 : Int.random(in: 2...3, using: &random)
    case .raid4: (level, slotCount) = (.dedicatedParity, Int.random(in: 3...4, using: &random))
    case .raid5:
      level = .singleParity
      layout = [2, 2, 0, 1, 3, 4, 5].randomElement(using: &random)!
      slotCount = Int.random(in: 3...4, using: &random)
    case .raid6:
      level = .doubleParity
      layout = [2, 2, 0, 8, 10, 17].randomElement(using: &random)!
      slotCount = Int.random(in: 4...5, using: &random)
    case .near:
      (level, layout) = (.mirroredStripes, 0x102)
      slotCount = 4
    case .far: (level, layout) = (.mirroredStripes, 0x201)
    case .offset:
      (level, layout) = (.mirroredStripes, 0x10201)
      slotCount = 5
    case .erasureCoded:
      let parityCount = Int.random(in: 2...3, using: &random)
      level = .erasureCoded(parityCount: parityCount)
      layout = UInt32(parityCount)
      slotCount = parityCount + Int.random(in: 2...3, using: &random)
    }
  }

  var request: ArrayCreation.Request {
    var request = ArrayCreation.Request(
      level: level, layout: layout, chunkByteCount: chunkByteCount, name: "simulated")
    request.version = version
    request.hasSums = hasSums
    request.hasBitmap = hasBitmap
    request.hasJournal = hasJournal
    request.memberByteCount = dataByteCount
    request.dataOffset = dataOffset
    return request
  }

  /// What a member needs for its data and the regions beside it.
  var memberByteCount: Int {
    (hasSums ? (128 << 10) + max(128 << 10, (24 << 10) * slotCount) : 32 << 10) + dataByteCount
      // Room to move, and room for everything behind the data once more.
      + (dataOffset.map { $0 + (24 << 10) + (hasSums ? (128 << 10) + (40 << 10) * slotCount : 0) }
        ?? 0)
  }

  var geometry: SlowGeometry {
    SlowGeometry(
      level: Int(level.number), layout: Int(layout), chunk: chunkByteCount, slotCount: slotCount,
      sizes: [Int](repeating: dataByteCount, count: slotCount))
  }
}

extension SlowGeometry {
  /// Whether every byte is there without these slots.
  func survives(without missing: Set<Int>) -> Bool {
    if missing.isEmpty { return true }
    if parityCount > 0 { return missing.count <= parityCount }
    if level == -1 || level == 0 { return false }
    let step = max(chunk, 4096)
    return stride(from: 0, to: byteCount, by: step).allSatisfy { offset in
      places(of: offset).contains { !missing.contains($0.slot) }
    }
  }

  /// Array bytes whose redundancy goes together: a row, or a chunk with its copies.
  var rowByteCount: Int { parityCount > 0 ? dataCount * chunk : max(chunk, 4096) }
}
