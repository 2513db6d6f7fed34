/// Rows of chunks, some data and some parity: RAID 4, 5, 6 and `ec:K+M`.
///
/// Row `r` lies at member bytes `r * chunk ..< (r + 1) * chunk` on every member, and holds the array
/// bytes `r * dataColumns * chunk` and on, one chunk a data column. All offsets are bytes from where
/// the members' data starts.
package struct ParityPlacement: Sendable, Equatable {
  /// Data and parity columns together.
  package let slotCount: Int
  /// Chunks of parity in each row.
  package let parityCount: Int
  /// What one member has of a row.
  package let chunkByteCount: Int
  /// Whole rows; what is left of the members is not used.
  package let rowCount: Int
  /// How parity moves from row to row.
  package let rotation: ParityRotation
  private let patterns: [RowPattern]

  /// Chunks of data in each row.
  package var dataColumnCount: Int { slotCount - parityCount }
  /// Array bytes of one row.
  package var rowByteCount: Int { dataColumnCount * chunkByteCount }

  /// - Precondition: `rotation.exists(withParityCount: parityCount)` and `slotCount > parityCount`,
  ///   for the `-6` rotations at least 4 slots; level 4 is `.parityLast` with one parity.
  package init(
    slotCount: Int, parityCount: Int, chunkByteCount: Int, rowCount: Int, rotation: ParityRotation
  ) {
    precondition(slotCount > parityCount && rotation.exists(withParityCount: parityCount))
    self.slotCount = slotCount
    self.parityCount = parityCount
    self.chunkByteCount = chunkByteCount
    self.rowCount = rowCount
    self.rotation = rotation
    patterns = (0..<rotation.period(slotCount: slotCount)).map {
      Self.pattern(row: $0, slotCount: slotCount, parityCount: parityCount, rotation: rotation)
    }
  }

  /// What the slots of a row hold.
  package func pattern(ofRow row: Int) -> RowPattern { patterns[row % patterns.count] }
  /// The number of the row's pattern, below `patternCount`: rows with one number are alike.
  package func patternIndex(ofRow row: Int) -> Int { row % patterns.count }
  /// Rows until the pattern comes again.
  package var patternCount: Int { patterns.count }

  /// The tables of md-format, section 4. `k` counts the rows of the period.
  private static func pattern(
    row: Int, slotCount n: Int, parityCount: Int, rotation: ParityRotation
  ) -> RowPattern {
    if rotation.rawValue >= ParityRotation.leftAsymmetric6.rawValue {
      // RAID 5 on all but the last slot, which holds Q.
      let base = ParityRotation(rawValue: rotation.rawValue - 16) ?? .leftAsymmetric
      let inner = pattern(row: row, slotCount: n - 1, parityCount: 1, rotation: base)
      return RowPattern(
        dataSlots: inner.dataSlots, paritySlots: inner.paritySlots + [n - 1], rotation: rotation)
    }
    let k = row % n
    let last = n - 1
    let first: Int  // P's slot
    switch rotation {
    case .leftAsymmetric, .leftSymmetric, .ddfNContinue: first = last - k
    case .rightAsymmetric, .rightSymmetric, .ddfZeroRestart: first = k
    case .ddfNRestart: first = last - (row + 1) % n
    case .parityFirst: first = 0
    default: first = n - parityCount
    }
    let step = rotation == .ddfNContinue ? n - 1 : 1
    let paritySlots = (0..<parityCount).map { (first + $0 * step) % n }
    let dataSlots: [Int]
    switch rotation {
    case .leftSymmetric, .rightSymmetric:
      dataSlots = (0..<n - parityCount).map { (first + parityCount + $0) % n }
    case .ddfNContinue:
      dataSlots = (0..<n - parityCount).map { (first + 1 + $0) % n }
    default:
      dataSlots = (0..<n).filter { !paritySlots.contains($0) }
    }
    return RowPattern(dataSlots: dataSlots, paritySlots: paritySlots, rotation: rotation)
  }
}

extension ParityRotation {
  /// After how many rows the patterns repeat.
  func period(slotCount: Int) -> Int {
    switch self {
    case .parityFirst, .parityLast, .parityFirst6: 1
    case .leftAsymmetric6, .rightAsymmetric6, .leftSymmetric6, .rightSymmetric6: slotCount - 1
    default: slotCount
    }
  }
}
