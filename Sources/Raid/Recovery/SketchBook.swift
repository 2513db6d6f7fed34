import BlockStorage

/// Sketches of blocks, each made once, and where on the members there is something to see.
final class SketchBook {
  let images: MemberImages
  /// Member offsets, on blocks, at which some member is not zero: chosen evenly among what is no hole.
  private(set) var landmarks: [Int] = []
  private var sketches: [Int: BlockSketch?] = [:]
  private(set) var continuity = Continuity(neighbours: .init(), strangers: .init())

  init(_ images: MemberImages) {
    self.images = images
    landmarks = findLandmarks()
  }

  /// The sketch of a block; nil where there is none to read. The missing member's is that of the sum
  /// of the others.
  func sketch(_ member: Int, at offset: Int, usesSum: Bool) -> BlockSketch? {
    if images.devices[member] == nil, !usesSum { return nil }
    guard offset >= 0, offset < Int.max >> 8, member < 256 else { return nil }
    let key = offset << 8 | member
    if let known = sketches[key] { return known }
    if sketches.count > 1 << 16 { sketches.removeAll(keepingCapacity: true) }
    let sketch = images.blockOrSum(member, at: offset).map(BlockSketch.init)
    sketches[key] = .some(sketch)
    return sketch
  }

  /// Learns what neighbours look like.
  func learn() throws(RaidError) {
    var neighbours = Continuity.Counts()
    var strangers = Continuity.Counts()
    for (index, landmark) in landmarks.enumerated() where index % 2 == 0 || landmarks.count < 128 {
      try images.checkStop()
      // An odd number of blocks: an edge of chunks only where these have a single block.
      let edge = landmark | MemberImages.blockByteCount
      for member in images.present {
        guard let tail = sketch(member, at: edge - MemberImages.blockByteCount, usesSum: false)
        else { continue }
        for other in images.present {
          guard let head = sketch(other, at: edge, usesSum: false) else { continue }
          if tail.isZero && head.isZero { continue }
          if other == member {
            neighbours.add(tail.tail, head.head)
          } else {
            strangers.add(tail.tail, head.head)
          }
        }
      }
    }
    continuity = Continuity(neighbours: neighbours, strangers: strangers)
  }

  /// How well the bytes before and after a member offset go on, summed over the members; and over how many.
  func continuity(across edge: Int, usesSum: Bool) -> (weight: Double, count: Int) {
    var weight = 0.0
    var count = 0
    for member in 0..<images.count {
      guard
        let tail = sketch(member, at: edge - MemberImages.blockByteCount, usesSum: usesSum),
        let head = sketch(member, at: edge, usesSum: usesSum)
      else { continue }
      weight += continuity.weight(tail.tail, head.head)
      count += 1
    }
    return (weight, count)
  }

  private func findLandmarks() -> [Int] {
    let block = MemberImages.blockByteCount
    let wanted = max(64, min(512, 4096 / max(1, images.count)))
    var found: Set<Int> = []
    for member in images.present {
      let ranges = dataRanges(of: member)
      let total = ranges.reduce(0) { $0 + $1.count }
      guard total >= block else { continue }
      // Beginnings matter most: tables and superblocks are there.
      var places = Array(stride(from: 0, to: min(total, 64 * block), by: 4 * block))
      let count = wanted / max(1, images.present.count) + 16
      places += (0..<count).map { total / count * $0 + ($0 * 37 % 64) * block }
      for place in places {
        guard let offset = Self.offset(place, in: ranges) else { continue }
        let aligned = offset / block * block
        if sketch(member, at: aligned, usesSum: false)?.isZero == false { found.insert(aligned) }
      }
    }
    return found.sorted()
  }

  private static func offset(_ place: Int, in ranges: [Range<Int>]) -> Int? {
    var left = place
    for range in ranges {
      if left < range.count { return range.lowerBound + left }
      left -= range.count
    }
    return nil
  }

  /// What is no hole, as far as can be told in a few steps.
  private func dataRanges(of member: Int) -> [Range<Int>] {
    guard let device = images.devices[member] else { return [] }
    var ranges: [Range<Int>] = []
    var offset = 0
    for _ in 0..<4096 where offset < device.byteCount {
      let extent = device.extent(at: offset, limit: device.byteCount)
      guard extent.range.upperBound > offset else { break }
      if !extent.isHole { ranges.append(offset..<extent.range.upperBound) }
      offset = extent.range.upperBound
    }
    if offset < device.byteCount { ranges.append(offset..<device.byteCount) }
    return ranges
  }
}
