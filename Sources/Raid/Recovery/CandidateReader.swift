import BinaryCodec
import ErasureCoding
import RaidGeometry

/// Reads an array as a candidate lays it out; what is missing is computed where that is possible.
struct CandidateReader {
  let images: MemberImages
  let shape: ArrayShape
  let order: [Int?]
  let dataOffsets: [Int]

  init(_ images: MemberImages, _ candidate: RecoveryCandidate) {
    self.images = images
    shape = candidate.shape
    order = candidate.order
    dataOffsets = candidate.dataOffsets
  }

  /// Bytes of the array; nil where they cannot be had.
  func bytes(_ range: Range<Int>) -> [UInt8]? {
    guard range.lowerBound >= 0, range.upperBound <= shape.byteCount, range.count <= 1 << 20 else {
      return nil
    }
    var result: [UInt8] = []
    result.reserveCapacity(range.count)
    var offset = range.lowerBound
    var places: [CopyPlacement.Place] = []
    while offset < range.upperBound {
      let limit = range.upperBound - offset
      switch shape.placement {
      case .copies(let copies):
        places.removeAll(keepingCapacity: true)
        let count = min(limit, copies.locate(offset, into: &places), 1 << 19)
        var part: [UInt8]?
        for place in places where part == nil {
          part = member(place.slot, place.offset, count)
        }
        guard let part else { return nil }
        result += part
        offset += count
      case .parity(let parity):
        let chunk = parity.chunkByteCount
        let row = offset / parity.rowByteCount
        let column = offset % parity.rowByteCount / chunk
        let within = offset % chunk
        let count = min(limit, chunk - within, 1 << 19)
        guard let part = data(parity, row, column, row * chunk + within, count) else { return nil }
        result += part
        offset += count
      }
    }
    return result
  }

  private func member(_ slot: Int, _ offset: Int, _ count: Int) -> [UInt8]? {
    guard let device = order[slot] else { return nil }
    let start = dataOffsets[slot] + offset
    return images.bytes(device, start..<start + count)
  }

  private func data(
    _ parity: ParityPlacement, _ row: Int, _ column: Int, _ offset: Int, _ count: Int
  ) -> [UInt8]? {
    let pattern = parity.pattern(ofRow: row)
    let wanted = pattern.dataSlots[column]
    if let part = member(wanted, offset, count) { return part }
    // Data in code order first, then as many parities as are needed.
    var known: [(slot: Int, bytes: [UInt8])] = []
    for slot in pattern.dataSlots + pattern.paritySlots where slot != wanted {
      if known.count == parity.dataColumnCount { break }
      if let part = member(slot, offset, count) { known.append((slot, part)) }
    }
    func shard(_ slot: Int) -> Shard {
      switch pattern.roles[slot] {
      case .data(let column): .data(position: pattern.codePositions[column])
      case .parity(let index): .parity(index)
      }
    }
    guard known.count == parity.dataColumnCount,
      let plan = ErasureCode(parityCount: parity.parityCount).recovery(
        positions: pattern.codePositions, known: known.map { shard($0.slot) },
        wanted: [shard(wanted)])
    else { return nil }
    var buffer = known.flatMap(\.bytes) + [UInt8](repeating: 0, count: count)
    let sources = known.indices.map { $0 * count }
    let outputs = [known.count * count]
    buffer.withMutableRawBytes { bytes in
      plan.apply(in: &bytes, sources: sources.span, outputs: outputs.span, byteCount: count)
    }
    return Array(buffer.suffix(count))
  }

  /// Where a device's byte lies in the array; nil where it holds parity, another copy's place or nothing.
  func arrayOffset(ofDevice device: Int, at offset: Int) -> Int? {
    guard let slot = order.firstIndex(of: device) else { return nil }
    let inside = offset - dataOffsets[slot]
    guard inside >= 0, inside < shape.memberByteCounts[slot] else { return nil }
    switch shape.placement {
    case .copies(let copies):
      return copies.arrayRange(at: .init(slot: slot, offset: inside), limit: 1)?.offset
    case .parity(let parity):
      let chunk = parity.chunkByteCount
      let row = inside / chunk
      guard row < parity.rowCount, case .data(let column) = parity.pattern(ofRow: row).roles[slot]
      else { return nil }
      return row * parity.rowByteCount + column * chunk + inside % chunk
    }
  }
}
