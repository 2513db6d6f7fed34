import BinaryCodec
import ErasureCoding
import RaidGeometry

/// Whether the members agree with each other as a layout has them: where the layout is right and they do not,
/// one of them is of another time, or damaged.
///
/// A member whose superblock is gone may have missed what was written last, and nothing but its content tells.
package struct MemberAgreement: Sendable, Equatable {
  /// Blocks of the members, or of the array for copies, that hold more than zeros and could be compared.
  package private(set) var comparedCount = 0
  /// Those of them at which the members do not agree.
  package private(set) var differingCount = 0
  /// The slots of which every difference can be blamed on one; empty when there is none such. With two parities, or
  /// three copies, it is the one that is wrong.
  package private(set) var suspects: [Int] = []

  /// How much is compared at most.
  private static let byteLimit = 48 << 20

  /// Compares some places, all of them in a small array; nil where a layout leaves nothing to compare.
  ///
  /// - Parameter knowsEnd: the candidate's size is no guess.
  init?(
    _ images: MemberImages, _ candidate: RecoveryCandidate, knowsEnd: Bool
  ) throws(RaidError) {
    guard candidate.shape.redundancy > 0 else { return nil }
    var findings: [Finding] = []
    // What lies behind the data, where the size is too large a guess, need not agree.
    let room =
      zip(candidate.order, candidate.dataOffsets).compactMap { device, offset in
        device.map { images.dataEnd(of: $0, from: offset) - offset }
      }.min() ?? .max
    switch candidate.shape.placement {
    case .parity(let parity):
      guard !candidate.order.contains(nil) else { return nil }
      let blockCount = parity.rowCount * parity.chunkByteCount / 4096
      try Self.each(blockCount, byteCount: 4096 * parity.slotCount, images) { block in
        guard block < room / 4096,
          let finding = Self.compare(images, candidate, parity, block * 4096)
        else { return }
        findings.append(finding)
      }
    case .copies(let copies):
      let count = candidate.shape.byteCount / 4096
      try Self.each(count, byteCount: 4096 * copies.copyCount, images) { block in
        guard let finding = Self.compare(images, candidate, copies, block * 4096, room) else {
          return
        }
        findings.append(finding)
      }
    }
    // Behind the array's end there may be anything, where that is a guess.
    let last = findings.lastIndex { $0.suspects == nil }
    let end = knowsEnd ? findings.count : last.map { $0 + 1 } ?? 0
    guard end > 0 else { return nil }
    var common: Set<Int>?
    for finding in findings[..<end] {
      comparedCount += 1
      guard let slots = finding.suspects else { continue }
      differingCount += 1
      common = common?.intersection(slots) ?? slots
    }
    suspects = (common ?? []).sorted()
  }

  /// What came of a place; who may be wrong, nil where all agree.
  private struct Finding {
    var suspects: Set<Int>?
  }

  private static func each(
    _ blockCount: Int, byteCount: Int, _ images: MemberImages, _ body: (Int) -> Void
  ) throws(RaidError) {
    let step = max(1, blockCount * byteCount / byteLimit)
    for (turn, block) in stride(from: 0, to: blockCount, by: step).enumerated() {
      if turn % 256 == 0 { try images.checkStop() }
      body(block)
    }
  }

  // MARK: Parity

  private static func compare(
    _ images: MemberImages, _ candidate: RecoveryCandidate, _ parity: ParityPlacement,
    _ inside: Int
  ) -> Finding? {
    var blocks: [[UInt8]] = []
    for (slot, device) in candidate.order.enumerated() {
      guard let device, let block = images.block(device, at: candidate.dataOffsets[slot] + inside)
      else { return nil }
      blocks.append(block)
    }
    if blocks.allSatisfy(\.isAllZero) { return nil }
    let pattern = parity.pattern(ofRow: inside / parity.chunkByteCount)
    let code = ErasureCode(parityCount: parity.parityCount)
    if CandidateJudge.agree(blocks, pattern, code) { return Finding(suspects: nil) }
    guard parity.parityCount > 1 else { return Finding(suspects: Set(blocks.indices)) }
    // Who is wrong, if it is one: with what the others say in its place all agree.
    let wrong = blocks.indices.filter { slot in
      guard let right = Self.content(of: slot, from: blocks, pattern, code) else { return false }
      var mended = blocks
      mended[slot] = right
      return CandidateJudge.agree(mended, pattern, code)
    }
    return Finding(suspects: Set(wrong))
  }

  /// A slot's block as the others have it.
  private static func content(
    of slot: Int, from blocks: [[UInt8]], _ pattern: RowPattern, _ code: ErasureCode
  ) -> [UInt8]? {
    func shard(_ slot: Int) -> Shard {
      switch pattern.roles[slot] {
      case .data(let column): .data(position: pattern.codePositions[column])
      case .parity(let index): .parity(index)
      }
    }
    let known = Array(
      (pattern.dataSlots + pattern.paritySlots).filter { $0 != slot }
        .prefix(pattern.dataSlots.count))
    guard
      let plan = code.recovery(
        positions: pattern.codePositions, known: known.map(shard), wanted: [shard(slot)])
    else { return nil }
    var buffer = known.flatMap { blocks[$0] } + [UInt8](repeating: 0, count: 4096)
    let sources = known.indices.map { $0 * 4096 }
    let outputs = [known.count * 4096]
    buffer.withMutableRawBytes { bytes in
      plan.apply(in: &bytes, sources: sources.span, outputs: outputs.span, byteCount: 4096)
    }
    return Array(buffer.suffix(4096))
  }

  // MARK: Copies

  private static func compare(
    _ images: MemberImages, _ candidate: RecoveryCandidate, _ copies: CopyPlacement,
    _ offset: Int, _ room: Int
  ) -> Finding? {
    var places: [CopyPlacement.Place] = []
    _ = copies.locate(offset, into: &places)
    if places.contains(where: { $0.offset > room - 4096 }) { return nil }
    var found: [(slot: Int, bytes: [UInt8])] = []
    for place in places {
      guard let device = candidate.order[place.slot],
        let block = images.block(device, at: candidate.dataOffsets[place.slot] + place.offset)
      else { continue }
      found.append((place.slot, block))
    }
    guard found.count > 1, !found.allSatisfy(\.bytes.isAllZero) else { return nil }
    let votes = found.map { one in found.count { $0.bytes == one.bytes } }
    guard let most = votes.max(), most < found.count else { return Finding(suspects: nil) }
    // Those that a majority contradicts; where there is none, each may be wrong.
    let isMajority = most * 2 > found.count
    return Finding(
      suspects: Set(found.indices.filter { !isMajority || votes[$0] < most }.map { found[$0].slot })
    )
  }
}
