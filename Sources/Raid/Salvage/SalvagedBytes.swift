/// What came of reading a part of an array of which some may be lost.
struct SalvagedBytes {
  /// What is whole, as it lies in the working buffer.
  var pieces: [BufferPiece] = []
  /// What is not: array bytes.
  var losses: [(arrayRange: Range<Int>, reason: LossReason)] = []

  mutating func removeAll() {
    pieces.removeAll(keepingCapacity: true)
    losses.removeAll(keepingCapacity: true)
  }

  /// Puts both in order, cut to a range, with nothing lost among the pieces.
  mutating func settle(in range: Range<Int>) {
    losses = losses.compactMap { loss in
      let part = loss.arrayRange.clamped(to: range)
      return part.isEmpty ? nil : (part, loss.reason)
    }.sorted { $0.arrayRange.lowerBound < $1.arrayRange.lowerBound }
    joinLosses()
    let all = pieces.sorted { $0.arrayRange.lowerBound < $1.arrayRange.lowerBound }
    pieces.removeAll(keepingCapacity: true)
    var next = 0
    for piece in all {
      var start = max(piece.arrayRange.lowerBound, range.lowerBound)
      let end = min(piece.arrayRange.upperBound, range.upperBound)
      while next < losses.count, losses[next].arrayRange.upperBound <= start { next += 1 }
      var index = next
      while start < end {
        let loss = index < losses.count ? losses[index].arrayRange : end..<end
        add(piece, start..<min(end, max(start, loss.lowerBound)))
        start = max(start, loss.upperBound)
        index += 1
      }
    }
  }

  private mutating func add(_ piece: BufferPiece, _ range: Range<Int>) {
    guard !range.isEmpty else { return }
    let place = piece.place + range.lowerBound - piece.arrayRange.lowerBound
    pieces.append(BufferPiece(arrayRange: range, place: place))
  }

  private mutating func joinLosses() {
    var joined: [(arrayRange: Range<Int>, reason: LossReason)] = []
    for loss in losses {
      if let last = joined.last, loss.arrayRange.lowerBound <= last.arrayRange.upperBound {
        let end = max(last.arrayRange.upperBound, loss.arrayRange.upperBound)
        joined[joined.count - 1].arrayRange = last.arrayRange.lowerBound..<end
      } else {
        joined.append(loss)
      }
    }
    losses = joined
  }
}

/// Which of a block's eight sectors are known: bit `i` for bytes `512 * i` and on.
struct SectorSet: Equatable {
  var bits: UInt8 = 0

  static let byteCount = 512
  static let all = SectorSet(bits: 0xff)
  static let count = 8

  var isEmpty: Bool { bits == 0 }
  func contains(_ sector: Int) -> Bool { bits >> UInt8(sector) & 1 != 0 }
  mutating func insert(_ sector: Int) { bits |= 1 << UInt8(sector) }

  /// The bytes of a block's first `byteCount` that are not known, in order.
  func gaps(byteCount: Int) -> [Range<Int>] {
    var gaps: [Range<Int>] = []
    for sector in 0..<Self.count where !contains(sector) && sector * Self.byteCount < byteCount {
      let range = sector * Self.byteCount..<min(byteCount, (sector + 1) * Self.byteCount)
      if let last = gaps.last, last.upperBound == range.lowerBound {
        gaps[gaps.count - 1] = last.lowerBound..<range.upperBound
      } else {
        gaps.append(range)
      }
    }
    return gaps
  }
}
