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
/// or behind: so that what is written is never where anything is that has not been moved.
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
    // md knows no other chunks for these levels (raid5.c, `setup_conf`).
    if case .parity = new.placement, new.chunkByteCount.nonzeroBitCount != 1 {
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
    guard case .parity = old.placement, case .parity = new.placement else {
      throw .unsuitable(.reshape(.levels(from: current.levelName, to: new.levelName)))
    }
    if case .parity(let rows) = new.placement, rows.rowByteCount > Self.rowByteLimit {
      throw .unsuitable(.reshape(.badShape(.chunk(chunk))))
    }
    let behind = room.behind + (step.base.memberByteCounts.min() ?? 0) - size
    isBackwards = try Self.goesBack(old, new, room)
    let gap = Self.shift(
      old, new, before: room.before, behind: shrinks ? max(behind, unit) : behind, isBackwards)
    isStaged = room.isFixed || gap < unit
    shift = isStaged ? 0 : isBackwards ? -gap : gap
    guard !isStaged || room.beside >= unit else {
      throw .unsuitable(
        .reshape(
          .noHeadroom(
            member: "the members",
            has: max(room.beside, room.isFixed ? 0 : isBackwards ? room.behind : room.before),
            needs: unit)))
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
    _ old: ArrayShape, _ new: ArrayShape, before: Int, behind: Int, _ goesBack: Bool
  ) -> Int {
    let unit = max(old.chunkByteCount, new.chunkByteCount)
    let has = goesBack ? behind : before
    let wanted =
      old.dataColumnCount != new.dataColumnCount
      ? 2 * unit : max(unit, min(32 << 20, goesBack ? has : has / 2))
    return min(has, wanted) / unit * unit
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
