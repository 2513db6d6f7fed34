// What the search tells its caller.

extension RecoverySearch {
  /// - Parameters:
  ///   - notes: what was seen before the search, in words; its own follow.
  ///   - read: bytes that were read, with those before the search.
  func result(notes: [String], read: Int) -> RecoveryResult {
    // Findings are added as if they were independent. One that speaks loudly against what the others say
    // tells that they are not, and that the sum is worth less than it seems.
    let isDecided =
      candidates.first.map { best in
        best.confidence >= 0.8 && best.evidence.allSatisfy { $0.weight > -20 }
          && !best.isContradictedByContent
      } ?? false
    var finals: [RecoveryCandidate] = []
    for var candidate in candidates {
      candidate.order = candidate.order.map { $0.flatMap { givenIndexes[$0] } }
      finals.append(candidate)
    }
    return RecoveryResult(
      candidates: finals, isDecided: isDecided, notes: notes + self.notes,
      advice: isDecided ? [] : advice(), byteCountRead: read)
  }

  private func advice() -> [String] {
    var advice: [String] = []
    if book.landmarks.isEmpty {
      return [
        "the members hold nothing but zeros where they were looked at: nothing can be told from them"
      ]
    }
    if request.chunkByteCount != nil {
      advice.append("leave --chunk out, if what it says may be wrong")
    }
    if request.level == nil { advice.append("say the level with --level") }
    if request.chunkByteCount == nil { advice.append("say the chunk size with --chunk") }
    if request.dataOffset == nil { advice.append("say where the data starts with --data-offset") }
    if request.slotCount == nil, images.missing == nil {
      advice.append("if a member is missing, give 'missing' for it")
    }
    advice.append(
      "encrypted or compressed content tells nothing of its order: then only superblocks or notes help"
    )
    return advice
  }
}

extension RecoveryCandidate {
  /// What says its own place says another one, and no superblocks say this one. The best of what the caller has
  /// left to choose from may still be wrong.
  fileprivate var isContradictedByContent: Bool {
    var content = 0.0
    for one in evidence {
      switch one.kind {
      case .sequence, .filesystem: content += one.weight
      case .superblock: if one.weight >= 40 { return false }
      case .parity, .copies, .continuity, .origin, .convention: break
      }
    }
    return content < 0
  }
}
