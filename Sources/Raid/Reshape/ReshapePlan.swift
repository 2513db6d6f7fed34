import MDFormat
import RaidGeometry

/// What an array's shape is to become; nil for what stays.
package struct ReshapeRequest: Sendable {
  package var level: RaidLevel?
  /// The superblock's word, of the level that is wanted.
  package var layout: UInt32?
  package var chunkByteCount: Int?
  package var slotCount: Int?

  package init() {}
}

/// How an array comes from one shape into another while its data stays readable.
///
/// As md does it (drivers/md/raid5.c, `raid5_takeover` and `reshape_request`): the array is first called by the
/// new level in a layout in which everything lies where it did, such as a RAID 6 whose last member, with all of
/// Q, is missing, and which is otherwise a RAID 5. From there rows of the new shape are written from the array's
/// start on, each member's data beginning a little before where it did, so that what is written is never where
/// anything is that has not been moved.
package struct ReshapePlan: Sendable {
  /// What the array is, said in the new level's terms.
  package let old: ArrayShape
  package let new: ArrayShape
  /// Slots that nobody has yet.
  package let joiningSlots: Range<Int>

  /// Nothing has to be moved: what is written down changes, and new mirrors are to be filled.
  package var isInstant: Bool { old.placement == new.placement || new.level == .mirrored }
  /// The least by which data has to move.
  var leastShift: Int { max(old.chunkByteCount, new.chunkByteCount) }
  /// By how much data had better move: as much as is written at once where the gap does not widen by itself.
  var usefulShift: Int {
    isWidening ? max(8 << 20, 2 * leastShift) : max(64 << 20, 2 * leastShift)
  }
  private var isWidening: Bool {
    guard case .parity(let old) = old.placement, case .parity(let new) = new.placement else {
      return false
    }
    return new.dataColumnCount > old.dataColumnCount
  }

  /// - Throws: `unsuitable(.reshape)`, with what stands in the way.
  init(_ current: ArrayShape, _ request: ReshapeRequest) throws(RaidError) {
    let level = request.level ?? current.level
    let base: ArrayShape
    let layout: UInt32?
    (base, layout) = try Self.takeover(current, level, request)
    let slotCount = request.slotCount ?? base.slotCount
    guard slotCount >= current.slotCount else {
      throw .unsuitable(.reshape(.fewerMembers(from: current.slotCount, to: slotCount)))
    }
    guard slotCount >= base.slotCount else {
      throw .unsuitable(
        .reshape(
          .newMembers(
            needed: base.slotCount - current.slotCount, given: slotCount - current.slotCount)))
    }
    old = base
    new = try Self.shape(
      level, layout ?? base.layout, chunk: request.chunkByteCount ?? base.chunkByteCount,
      slots: slotCount, size: base.memberByteCounts.min() ?? 0)
    joiningSlots = current.slotCount..<slotCount
    // md knows no other chunks for these levels (raid5.c, `setup_conf`).
    if case .parity = new.placement, new.chunkByteCount.nonzeroBitCount != 1 {
      throw .unsuitable(.reshape(.badShape(.chunk(new.chunkByteCount))))
    }
    guard new != current else { throw .unsuitable(.reshape(.nothingToChange)) }
    guard new.byteCount >= current.byteCount, base.byteCount == current.byteCount else {
      throw .unsuitable(.reshape(.shrinks(from: current.byteCount, to: new.byteCount)))
    }
    if isInstant { return }
    guard case .parity = old.placement, case .parity = new.placement else {
      throw .unsuitable(.reshape(.levels(from: current.levelName, to: new.levelName)))
    }
  }

  /// The shape in terms of another level with every byte in its place, and the layout that is wanted of the
  /// latter.
  private static func takeover(
    _ current: ArrayShape, _ level: RaidLevel, _ request: ReshapeRequest
  ) throws(RaidError) -> (ArrayShape, UInt32?) {
    let count = current.slotCount
    let chunk = current.chunkByteCount
    let size = current.memberByteCounts.min() ?? 0
    let symmetric = ParityRotation.leftSymmetric.rawValue
    let last = ParityRotation.parityLast.rawValue
    switch (current.level, level) {
    case (.erasureCoded(let old), .erasureCoded(let new)) where old != new:
      return (current, UInt32(new))
    case (let old, let new) where old == new:
      return (current, request.layout)
    case (.singleParity, .doubleParity) where current.layout <= 3:
      // Q is on a member of its own: the layouts whose names end with -6.
      let base = try shape(
        level, current.layout + 16, chunk: chunk, slots: count + 1, size: size)
      return (base, request.layout ?? current.layout)
    case (.striped, .singleParity), (.striped, .doubleParity):
      let used = current.memberByteCounts.map { $0 - $0 % chunk }
      guard let first = used.first, used.allSatisfy({ $0 == first }) else {
        throw .unsuitable(.reshape(.unequalMembers))
      }
      let base = try shape(
        level, last, chunk: chunk, slots: count + level.parityCount, size: first)
      return (base, request.layout ?? symmetric)
    case (.dedicatedParity, .singleParity):
      let base = try shape(level, last, chunk: chunk, slots: count, size: size)
      return (base, request.layout ?? symmetric)
    case (.mirrored, .singleParity) where count == 2:
      // Of two members: the parity of one chunk is that chunk.
      let wanted = request.chunkByteCount ?? 64 << 10
      var own = 4096
      while own < wanted, size % (own * 2) == 0 { own *= 2 }
      let base = try shape(level, symmetric, chunk: own, slots: 2, size: size)
      return (base, request.layout ?? symmetric)
    default:
      throw .unsuitable(
        .reshape(.levels(from: current.levelName, to: level.name(slotCount: count))))
    }
  }

  private static func shape(
    _ level: RaidLevel, _ layout: UInt32, chunk: Int, slots: Int, size: Int
  ) throws(RaidError) -> ArrayShape {
    do throws(ArrayShapeError) {
      return try ArrayShape(
        level: level, layout: layout, chunkByteCount: chunk, slotCount: slots,
        memberByteCounts: [Int](repeating: size, count: slots))
    } catch {
      throw .unsuitable(.reshape(.badShape(error)))
    }
  }
}
