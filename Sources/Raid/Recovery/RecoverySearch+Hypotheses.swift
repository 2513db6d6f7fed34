import RaidGeometry

// The hypotheses of each level: its layouts, and the chunks, data offsets and sizes that members may have.

extension RecoverySearch {
  mutating func addCandidates(of level: RaidLevel) throws(RaidError) {
    let usesSum = images.missing != nil
    switch level {
    case .mirrored: addMirrored()
    case .linear: addLinear()
    case .striped: try addRows(level, layouts: asked(or: [1]), usesSum: false)
    case .dedicatedParity: try addRows(level, layouts: asked(or: [0]), usesSum: usesSum)
    case .singleParity:
      // With fixed parity the order of slots alone makes the difference between 4 and 5, and level 4.
      let all: [UInt32] = request.level == nil ? [0, 1, 2, 3] : [0, 1, 2, 3, 5]
      try addRows(level, layouts: asked(or: all), usesSum: usesSum)
    case .doubleParity:
      try addDoubleParity()
      if candidates.isEmpty {
        try addRows(level, layouts: asked(or: [2, 0, 1, 3, 4, 5]), usesSum: false)
      }
    case .mirroredStripes:
      let all: [UInt32] =
        [0x102, 0x201, 0x10201] + (images.count > 2 ? [0x103, 0x301, 0x10301] : [])
      try addRows(level, layouts: asked(or: all), usesSum: false)
    case .erasureCoded: break
    }
  }

  /// The layout that was asked for, or else all of these.
  func asked(or all: [UInt32]) -> [UInt32] { request.layout.map { [$0] } ?? all }

  var chunks: [Int] {
    if let chunk = request.chunkByteCount {
      return chunk >= 4096 && chunk % 512 == 0 ? [chunk] : []
    }
    return (12...24).map { 1 << $0 }.filter { $0 * 2 <= images.smallestByteCount }
  }

  /// The member offset where data ends at the latest.
  var dataEnd: Int {
    guard let size = request.memberByteCount, let offset = request.dataOffset else {
      return images.smallestByteCount
    }
    return min(images.smallestByteCount, offset.clampedAdding(size))
  }

  /// For levels that use the same of each member: the data bytes of each that may be used, by hypothesis.
  func memberByteCounts(_ offset: Int, _ chunk: Int) -> [[Int]] {
    let sizes =
      request.memberByteCount.map { [$0] }
      ?? DataOffsets.memberByteCounts(
        deviceByteCount: images.smallestByteCount, dataOffset: offset, chunkByteCount: chunk)
    return sizes.map { Array(repeating: $0, count: images.count) }
  }

  /// For levels that use all of each member: its own size.
  func wholeByteCounts(_ offset: Int) -> [Int] {
    (0..<images.count).map { member in
      request.memberByteCount ?? statedByteCount(of: member)
        ?? DataOffsets.memberByteCounts(
          deviceByteCount: images.byteCount(of: member),
          dataOffset: memberOffsets?[member] ?? offset, chunkByteCount: 0
        ).first ?? 0
    }
  }

  /// The data bytes of a member by its superblock, or by that of one as large, whose data starts where its own does.
  private func statedByteCount(of member: Int) -> Int? {
    guard let known else { return nil }
    func stated(_ index: Int) -> Int? {
      givenIndexes[index].flatMap { known.best[$0] }?.memberByteCount
    }
    let twin = images.devices.indices.first { other in
      stated(other) != nil && images.byteCount(of: other) == images.byteCount(of: member)
        && memberOffsets?[other] == memberOffsets?[member]
    }
    return stated(member) ?? twin.flatMap(stated)
  }

  /// The devices as they were given, but for those whose slot is known.
  var defaultOrder: [Int] {
    var free = images.devices.indices.filter { !fixed.contains($0) }
    return fixed.map { $0 ?? free.removeFirst() }
  }

  /// - Parameter sizes: data bytes by device, not by slot.
  /// - Returns: nil where no array is of that shape.
  func candidate(
    _ level: RaidLevel, _ layout: UInt32, _ chunk: Int, _ order: [Int],
    _ choice: DataOffsets.Choice, sizes: [Int]
  ) -> RecoveryCandidate? {
    guard
      let shape = try? ArrayShape(
        level: level, layout: layout, chunkByteCount: chunk, slotCount: images.count,
        memberByteCounts: level.usesWholeMembers ? order.map { sizes[$0] } : sizes),
      shape.byteCount > 0
    else { return nil }
    var candidate = RecoveryCandidate(
      shape: shape, order: order.map { images.devices[$0] == nil ? nil : $0 },
      dataOffsets: order.map { memberOffsets?[$0] ?? choice.offset })
    if choice.weight != 0 { candidate.note(.convention, choice.weight, choice.text) }
    return candidate
  }

  /// Keeps the best, so that memory is bounded whatever there is.
  mutating func trim() {
    guard candidates.count > 4000 else { return }
    candidates.sort { $0.score > $1.score }
    candidates.removeLast(candidates.count - 1000)
  }
}
