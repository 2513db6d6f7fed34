import RaidGeometry

// The choice: the dearer the look, the fewer candidates get it; then those that read the same become one.

extension RecoverySearch {
  mutating func choose() throws(RaidError) {
    let judge = CandidateJudge(
      images: images, request: request, book: book, anchors: anchors,
      describedCount: known?.reference == nil ? nil : known?.best.count)
    try judgeBest(candidates.count, stopEvery: 64, judge.noteStatements)
    candidates = Array(candidates.prefix(200))
    try judgeBest(200, judge.noteOrigin)
    try judgeBest(48, judge.noteContent)
    try judgeParities(judge)
    try merge()
    rate()
  }

  /// Looks at the best candidates once more, and puts all in order of what they then score.
  private mutating func judgeBest(
    _ count: Int, stopEvery: Int = 1, _ judge: (inout RecoveryCandidate) -> Void
  ) throws(RaidError) {
    for index in candidates.indices.prefix(count) {
      if index % stopEvery == 0 { try images.checkStop() }
      judge(&candidates[index])
    }
    candidates.sort { $0.score > $1.score }
  }

  /// The best ones' parities, and on until the one that is best then has been judged, too.
  private mutating func judgeParities(_ judge: CandidateJudge) throws(RaidError) {
    while true {
      // Judged ones sink or rise; those that were not keep their order.
      let batch = candidates.indices.filter { !candidates[$0].isParityChecked }.prefix(48)
      if batch.isEmpty { return }
      for index in batch {
        try images.checkStop()
        judge.noteParity(&candidates[index])
        candidates[index].isParityChecked = true
      }
      candidates.sort { $0.score > $1.score }
      if candidates[0].isParityChecked { return }
    }
  }

  /// Candidates that read the same are one.
  private mutating func merge() throws(RaidError) {
    guard let best = candidates.first else { return }
    var kept = [best]
    let reader = CandidateReader(images, best)
    for candidate in candidates.dropFirst() {
      if kept.contains(where: { $0.hasSamePlaces(as: candidate) }) { continue }
      if best.score - candidate.score < 4, kept.count < 16, try readsSame(reader, candidate) {
        kept[0].equivalentCount += 1
        continue
      }
      kept.append(candidate)
    }
    candidates = Array(kept.prefix(40))
  }

  /// Whether two candidates have the same bytes at the same offsets of the array, wherever members have content.
  private func readsSame(
    _ reader: CandidateReader, _ other: RecoveryCandidate
  ) throws(RaidError) -> Bool {
    let second = CandidateReader(images, other)
    let end = min(reader.shape.byteCount, other.shape.byteCount) - 4096
    var count = 0
    for mark in book.landmarks {
      for device in images.present {
        for side in [reader, second] {
          guard let offset = side.arrayOffset(ofDevice: device, at: mark), offset <= end else {
            continue
          }
          try images.checkStop()
          let start = offset / 4096 * 4096
          guard let a = reader.bytes(start..<start + 4096),
            let b = second.bytes(start..<start + 4096)
          else { continue }
          if a != b { return false }
          count += 1
        }
      }
    }
    return count >= 16
  }

  /// Shares confidence out by score; the less speaks for a candidate but habit, the less it gets.
  private mutating func rate() {
    guard let best = candidates.first else { return }
    let total = candidates.reduce(0) { $0 + exponential($1.score - best.score) }
    for index in candidates.indices {
      let share = exponential(candidates[index].score - best.score) / total
      let findings = max(0, candidates[index].findings)
      candidates[index].confidence = share * (1 - exponential(-findings / 4))
    }
  }
}

extension RecoveryCandidate {
  /// Whether both put the same bytes in the same places, but for the array's end.
  func hasSamePlaces(as other: RecoveryCandidate) -> Bool {
    shape.level == other.shape.level && shape.layout == other.shape.layout
      && shape.chunkByteCount == other.shape.chunkByteCount && order == other.order
      && dataOffsets == other.dataOffsets
      && (!shape.level.usesWholeMembers && shape.layout & 0x1ff00 != 0x200
        || shape.memberByteCounts == other.shape.memberByteCounts)
  }
}
