/// The way from one shape into another: how much may be written at once from where it stands.
struct ReshapePath: Sendable {
  let source: ReshapeGeometry
  let goal: ReshapeGeometry
  /// From the end of the array to its start.
  let isBackwards: Bool
  /// By how much every member's data begins earlier in the new shape, at the least; backwards: by how much later, at
  /// the least.
  let shift: Int
  /// Between these places it stands, unless somebody else has gone on with it.
  let step: ReshapeGeometry.Step

  init(from source: ReshapeGeometry, to goal: ReshapeGeometry, isBackwards: Bool, shift: Int) {
    self.source = source
    self.goal = goal
    self.isBackwards = isBackwards
    self.shift = shift
    step = goal.step(from: source)
  }

  /// What is next, or why there is nothing.
  enum Part: Equatable {
    /// Array bytes.
    case range(Range<Int>)
    /// Less than is needed: so many bytes of each member.
    case noRoom(Int)
  }

  /// The part that may be written next: what is written must not touch what is needed until the superblocks say
  /// that the part is moved.
  ///
  /// It ends after whole steps where it can, and always with the array. md leaves copies at any chunk when it is
  /// stopped, and its gap may be as small as that; so there it may have to be less.
  ///
  /// - Parameter memberLimit: of each member's new data, unless that is less than a step.
  func nextPart(from position: Int, memberLimit: Int) -> Part {
    let limit = max(step.member, memberLimit)
    if isBackwards {
      let end = goal.memberEnd(position)
      let needed = source.memberEnd(min(position, source.byteCount)) - shift
      let from = max(0, needed, end - limit)
      var start = (from + step.member - 1) / step.member * step.array
      if start >= position, goal.standsAnywhere { start = goal.arrayStart(from) }
      return start < position ? .range(start..<position) : .noRoom(end - needed)
    }
    let start = goal.memberStart(position)
    var to = start + limit
    if position < source.byteCount { to = min(to, source.memberStart(position) + shift) }
    if goal.memberEnd(goal.byteCount) <= to { return .range(position..<goal.byteCount) }
    var end = to / step.member * step.array
    if end <= position, goal.standsAnywhere { end = goal.arrayEnd(to) }
    return end > position ? .range(position..<end) : .noRoom(to - start)
  }
}
