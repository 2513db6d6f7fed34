import BinaryCodec
import ErasureCoding
import RaidGeometry

extension CandidateJudge {
  /// Computes parities anew at some places, where nothing cheaper has told of them already.
  func noteParity(_ candidate: inout RecoveryCandidate) {
    guard case .parity(let parity) = candidate.shape.placement,
      !candidate.order.contains(where: { $0 == nil }),
      parity.parityCount > 1 || describedCount != nil
    else { return }
    let code = ErasureCode(parityCount: parity.parityCount)
    var right = 0
    var total = 0
    let first = candidate.dataOffsets[0]
    let marks = book.landmarks.filter {
      $0 >= first && $0 - first + 4096 <= parity.rowCount * parity.chunkByteCount
    }
    for index in stride(from: 0, to: marks.count, by: max(1, marks.count / 48)) {
      let inside = (marks[index] - first) / 4096 * 4096
      guard let blocks = blocks(of: candidate, at: inside) else { continue }
      total += 1
      let pattern = parity.pattern(ofRow: inside / parity.chunkByteCount)
      if Self.agree(blocks, pattern, code) { right += 1 }
    }
    guard total > 0 else { return }
    // Where superblocks say the layout, parity may never have been computed.
    let isContradicted = describedCount == nil && total >= 8 && right * 2 < total
    candidate.note(
      .parity,
      isContradicted
        ? Self.contradiction : max(-40, min(40, 2 * Double(right) - 4 * Double(total - right))),
      "parity computed anew is right at \(right) of \(total) places")
  }

  /// By slot: the 4096 bytes at this offset of the members' data; nil when some cannot be read.
  private func blocks(of candidate: RecoveryCandidate, at inside: Int) -> [[UInt8]]? {
    var blocks: [[UInt8]] = []
    for (slot, device) in candidate.order.enumerated() {
      guard let device, let block = images.block(device, at: candidate.dataOffsets[slot] + inside)
      else { return nil }
      blocks.append(block)
    }
    return blocks
  }

  /// Whether the parity blocks of a row are what its data make.
  static func agree(
    _ blocks: [[UInt8]], _ pattern: RowPattern, _ code: ErasureCode
  ) -> Bool {
    let parityCount = pattern.paritySlots.count
    let plan = code.encoding(
      positions: pattern.codePositions, parities: Array(0..<parityCount))
    var buffer =
      pattern.dataSlots.flatMap { blocks[$0] } + [UInt8](repeating: 0, count: 4096 * parityCount)
    let sources = pattern.dataSlots.indices.map { $0 * 4096 }
    let outputs = (0..<parityCount).map { (pattern.dataSlots.count + $0) * 4096 }
    buffer.withMutableRawBytes { bytes in
      plan.apply(in: &bytes, sources: sources.span, outputs: outputs.span, byteCount: 4096)
    }
    return zip(outputs, pattern.paritySlots).allSatisfy { output, slot in
      buffer[output..<output + 4096].elementsEqual(blocks[slot])
    }
  }
}
