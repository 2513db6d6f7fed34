import MDFormat
import RaidGeometry

/// What an array's shape is to become; nil for what stays.
package struct ReshapeRequest: Sendable {
  package var level: RaidLevel?
  /// The superblock's word, of the level that is wanted.
  package var layout: UInt32?
  package var chunkByteCount: Int?
  package var slotCount: Int?
  /// The array may have fewer bytes afterwards: those at its end are given up.
  package var allowsShrinking = false

  package init() {}
}

/// How an array comes from one shape into another while its data stays readable.
///
/// As md does it (drivers/md/raid5.c, `raid5_takeover` and `reshape_request`): the array is first called by the
/// new level in a layout in which everything lies where it did, such as a RAID 6 whose last member, with all of
/// Q, is missing, and which is otherwise a RAID 5. From there rows of the new shape are written, from the
/// array's start on or from its end back, while each member's data comes to begin a little before where it did,
/// or behind: so that what is written is never where anything is that has not been moved. Copies move in the same way
/// (raid10.c, `reshape_request`), as long as they lie next to each other: with more members, in other chunks, from the
/// same row into the next ones and back.
package struct ReshapePlan: Sendable {
  /// What the array is, said in the new level's terms.
  package let old: ArrayShape
  package let new: ArrayShape
  /// Slots that nobody has yet.
  package let joiningSlots: Range<Int>
  /// Nothing has to be moved: what is written down changes, new mirrors are to be filled, and who holds nothing but
  /// a parity that is no more leaves.
  package let isInstant: Bool
  /// What is asked for is another step behind this one, which has to move nothing.
  package let isFirstStep: Bool
  /// By how much the data of every member begins earlier afterwards, in bytes; negative for later, from the end
  /// of the array back.
  let shift: Int
  /// From the end of the array to its start.
  let isBackwards: Bool
  /// There is no room for the data to move into: what would be written over something goes to spare room beside
  /// first, and no kernel may touch the array until it is done. See `StagedRows`.
  package let isStaged: Bool

  /// Data bytes of a row that is moved: whole ones go through memory.
  static let rowByteLimit = 128 << 20

  /// Bytes of each member that belong to nothing, before its data and behind.
  struct Room {
    var before: Int
    var behind: Int
    /// For rows on their way.
    var beside = 0
    /// The data has to begin where it does.
    var isFixed = false
  }

  /// - Throws: `unsuitable(.reshape)`, with what stands in the way.
  init(_ current: ArrayShape, _ request: ReshapeRequest, _ room: Room) throws(RaidError) {
    let level = request.level ?? current.level
    var step = try Takeover(current, level, request)
    let slotCount = request.slotCount ?? step.slotCount ?? step.base.slotCount
    if step.slotCount.map({ $0 != slotCount }) ?? false {
      // One thing after the other.
      throw .unsuitable(.reshape(.levels(from: current.levelName, to: step.goalName(slotCount))))
    }
    guard slotCount >= step.base.slotCount || slotCount < current.slotCount else {
      throw .unsuitable(
        .reshape(
          .newMembers(
            needed: step.base.slotCount - current.slotCount, given: slotCount - current.slotCount)))
    }
    let chunk =
      level == .mirrored ? 0 : request.chunkByteCount ?? step.base.chunkByteCount
    let unit = max(chunk, step.base.chunkByteCount)
    var size = step.base.memberByteCounts.min() ?? 0
    if level == .mirroredStripes {
      size = try Self.sizeOfCopies(
        current, layout: step.layout ?? current.layout, chunk: chunk, slots: slotCount)
      step.base = try Self.shape(like: step.base, size: size)
    }
    let shrinks = slotCount < current.slotCount && step.slotCount == nil
    if shrinks, room.behind < unit, level != .mirrored, !room.isFixed {
      // Rows get narrower, and so longer, down to the last: a little of each member is given up for the way.
      size = max(0, size - 2 * unit) / unit * unit
      step.base = try Self.shape(like: step.base, size: size)
    }
    old = step.base
    let stepSlots = step.isFirstStep ? current.slotCount : slotCount
    new = try Self.shape(
      step.level ?? level, step.layout ?? old.layout, chunk: chunk, slots: stepSlots,
      size: step.size ?? size)
    isInstant =
      step.isInstant || old.placement == new.placement
      || new.level == .mirrored && old.level == .mirrored
    isFirstStep = step.isFirstStep
    joiningSlots = current.slotCount..<max(current.slotCount, stepSlots)
    // md knows no other chunks for the levels that have some (raid5.c and raid10.c, `setup_conf`).
    if ReshapeGeometry(new) != nil, new.chunkByteCount.nonzeroBitCount != 1 {
      throw .unsuitable(.reshape(.badShape(.chunk(new.chunkByteCount))))
    }
    guard new != current else { throw .unsuitable(.reshape(.nothingToChange)) }
    guard new.byteCount >= current.byteCount || request.allowsShrinking && shrinks else {
      throw .unsuitable(.reshape(.shrinks(from: current.byteCount, to: new.byteCount)))
    }
    if isInstant {
      (shift, isBackwards, isStaged) = (0, false, false)
      return
    }
    let (source, goal) = try Self.geometries(from: old, to: new)
    let behind = room.behind + (step.base.memberByteCounts.min() ?? 0) - size
    let least = goal.step(from: source).member
    isBackwards = try Self.goesBack(old, new, room)
    let gap = Self.shift(
      old, new, least, before: room.before, behind: shrinks ? max(behind, unit) : behind,
      isBackwards)
    isStaged = room.isFixed || gap < least
    shift = isStaged ? 0 : isBackwards ? -gap : gap
    if !isStaged { return }
    guard room.beside >= least else {
      let has = room.isFixed ? 0 : isBackwards ? room.behind : room.before
      throw .unsuitable(
        .reshape(.noHeadroom(member: "the members", has: max(room.beside, has), needs: least)))
    }
  }

  /// Whether rows that are written first are those at the end.
  private static func goesBack(
    _ old: ArrayShape, _ new: ArrayShape, _ room: Room
  ) throws(RaidError) -> Bool {
    let columns = (old.dataColumnCount, new.dataColumnCount)
    let isSame = columns.0 == columns.1 && old.slotCount == new.slotCount
    let goesBack =
      new.slotCount < old.slotCount || isSame && room.behind > room.before && !room.isFixed
    // By the number of members a reader knows which way it goes.
    guard isSame || goesBack ? columns.1 <= columns.0 : columns.1 >= columns.0 else {
      throw .unsuitable(.reshape(.levels(from: old.levelName, to: new.levelName)))
    }
    return goesBack
  }

  /// How far the data moves. Where rows get wider as it goes, or narrower from the end back, the gap widens by
  /// itself, and a little is enough; otherwise no more is written at once than it is wide. Some of the room is
  /// left for the next time.
  private static func shift(
    _ old: ArrayShape, _ new: ArrayShape, _ unit: Int, before: Int, behind: Int, _ goesBack: Bool
  ) -> Int {
    let has = goesBack ? behind : before
    let wanted =
      old.dataColumnCount != new.dataColumnCount
      ? 2 * unit : max(unit, min(32 << 20, goesBack ? has : has / 2))
    return min(has, wanted) / unit * unit
  }

  /// Where things are in shapes between which data can be moved.
  static func geometries(
    from old: ArrayShape, to new: ArrayShape
  ) throws(RaidError) -> (ReshapeGeometry, ReshapeGeometry) {
    guard let source = ReshapeGeometry(old), let goal = ReshapeGeometry(new),
      source.standsAnywhere == goal.standsAnywhere
    else { throw .unsuitable(.reshape(.levels(from: old.levelName, to: new.levelName))) }
    guard goal.pieceByteCount <= rowByteLimit, goal.step(from: source).member <= rowByteLimit else {
      throw .unsuitable(.reshape(.badShape(.chunk(new.chunkByteCount))))
    }
    return (source, goal)
  }

  /// How much of each member a RAID 10 uses that is given another shape: whole bands of both, since md says how large
  /// the array is in terms of the new one while it goes on (raid10.c, `raid10_size`), and with it how much is to be
  /// moved.
  private static func sizeOfCopies(
    _ current: ArrayShape, layout: UInt32, chunk: Int, slots: Int
  ) throws(RaidError) -> Int {
    let size = current.memberByteCounts.min() ?? 0
    let wanted = try shape(current.level, layout, chunk: chunk, slots: slots, size: size)
    guard case .copies(let copies) = current.placement, case .copies(let others) = wanted.placement
    else { return size }
    guard slots >= current.slotCount else {
      throw .unsuitable(.reshape(.fewerMembers(current.levelName)))
    }
    guard copies.copyCount == others.copyCount else {
      throw .unsuitable(.reshape(.copyCount(from: copies.copyCount, to: others.copyCount)))
    }
    guard let source = ReshapeGeometry(current), let goal = ReshapeGeometry(wanted) else {
      throw .unsuitable(.reshape(.farCopies))
    }
    if source.bandByteCount == goal.bandByteCount, source.chunkByteCount == goal.chunkByteCount {
      return size
    }
    let band = source.bandByteCount.leastMultiple(with: goal.bandByteCount)
    let whole = size / band * band
    for (layout, chunk) in [(current.layout, current.chunkByteCount), (layout, chunk)] {
      let moved = try shape(
        current.level, layout, chunk: chunk, slots: current.slotCount, size: whole)
      guard moved.byteCount >= current.byteCount else {
        throw .unsuitable(.reshape(.shrinks(from: current.byteCount, to: moved.byteCount)))
      }
    }
    return whole
  }

  static func shape(
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

  static func shape(like shape: ArrayShape, size: Int) throws(RaidError) -> ArrayShape {
    try self.shape(
      shape.level, shape.layout, chunk: shape.chunkByteCount, slots: shape.slotCount, size: size)
  }
}

extension ArrayShape {
  fileprivate var dataColumnCount: Int {
    if case .parity(let rows) = placement { rows.dataColumnCount } else { slotCount }
  }
}
