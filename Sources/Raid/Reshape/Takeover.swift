import RaidGeometry

/// An array said in terms of another level, with every byte where it is (md: `takeover` of the personalities).
struct Takeover {
  /// What the array is, in these terms.
  var base: ArrayShape
  /// Of the shape that is wanted, or that comes first on the way there; nil for the base's.
  var layout: UInt32?
  /// The level of what comes first, where that is not the one that is wanted.
  var level: RaidLevel?
  /// Members of what is wanted, where the change leaves no choice.
  var slotCount: Int?
  /// Of each member's data, in bytes, where that is not the base's.
  var size: Int?
  /// Nothing has to be moved.
  var isInstant = false
  /// Another step is behind this one.
  var isFirstStep = false

  private var goal: RaidLevel

  init(
    _ current: ArrayShape, _ level: RaidLevel, _ request: ReshapeRequest
  ) throws(RaidError) {
    base = current
    goal = level
    let count = current.slotCount
    let chunk = current.chunkByteCount
    let size = current.memberByteCounts.min() ?? 0
    let symmetric = ParityRotation.leftSymmetric.rawValue
    let last = ParityRotation.parityLast.rawValue
    switch (current.level, level) {
    case (.erasureCoded(let old), .erasureCoded(let new)) where old != new:
      layout = UInt32(new)
    case (let old, let new) where old == new:
      layout = request.layout
    case (.singleParity, .doubleParity) where current.layout <= 3:
      // Q is on a member of its own: the layouts whose names end with -6.
      base = try ReshapePlan.shape(
        level, current.layout + 16, chunk: chunk, slots: count + 1, size: size)
      layout = request.layout ?? current.layout
    case (.doubleParity, .singleParity) where (16...19).contains(current.layout):
      layout = current.layout - 16
      slotCount = count - 1
      isInstant = true
    case (.doubleParity, .singleParity):
      // First all of Q goes to the last member, which then can leave.
      self.level = .doubleParity
      layout = (current.layout <= 3 ? current.layout : symmetric) + 16
      slotCount = count - 1
      isFirstStep = true
    case (.striped, .singleParity), (.striped, .doubleParity):
      let used = current.memberByteCounts.map { $0 - $0 % chunk }
      guard let first = used.first, used.allSatisfy({ $0 == first }) else {
        throw .unsuitable(.reshape(.unequalMembers))
      }
      base = try ReshapePlan.shape(
        level, last, chunk: chunk, slots: count + level.parityCount, size: first)
      layout = request.layout ?? symmetric
    case (.dedicatedParity, .singleParity):
      base = try ReshapePlan.shape(level, last, chunk: chunk, slots: count, size: size)
      layout = request.layout ?? symmetric
    case (.mirrored, .singleParity) where count == 2:
      // Of two members: the parity of one chunk is that chunk.
      let wanted = request.chunkByteCount ?? 64 << 10
      var own = 4096
      while own < wanted, size % (own * 2) == 0 { own *= 2 }
      base = try ReshapePlan.shape(level, symmetric, chunk: own, slots: 2, size: size)
      layout = request.layout ?? symmetric
    case (.singleParity, .mirrored) where count == 2:
      layout = 0
      slotCount = 2
      self.size = size / chunk * chunk
      isInstant = true
    default:
      throw .unsuitable(
        .reshape(.levels(from: current.levelName, to: level.name(slotCount: count))))
    }
    try checkLayout(current, request)
    if goal == .mirrored, request.chunkByteCount != nil {
      throw .unsuitable(.reshape(.noChunks(goal.name(slotCount: current.slotCount))))
    }
  }

  /// What is asked for as layout must be what comes out in the end.
  private func checkLayout(
    _ current: ArrayShape, _ request: ReshapeRequest
  ) throws(RaidError) {
    guard let wanted = request.layout else { return }
    switch goal {
    case .singleParity, .doubleParity, .mirroredStripes:
      // The step behind the first takes Q away, and leaves the rest where it is.
      if wanted != layout.map({ isFirstStep ? $0 - 16 : $0 }) {
        throw .unsuitable(
          .reshape(
            .layoutAfterwards(from: current.levelName, to: goal.name(slotCount: current.slotCount)))
        )
      }
    case .linear, .striped:
      let name = goal.name(slotCount: current.slotCount)
      throw .unsuitable(.reshape(.levels(from: current.levelName, to: name)))
    case .mirrored, .dedicatedParity, .erasureCoded:
      throw .unsuitable(.reshape(.oneLayout(goal.name(slotCount: current.slotCount))))
    }
  }

  func goalName(_ slotCount: Int) -> String {
    "\(goal.name(slotCount: slotCount)) of \(slotCount) members at once"
  }
}
