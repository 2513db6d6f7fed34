import FToolTestSupport
import Raid

extension Scenario {
  /// Does what the cell says. One function for each operation.
  func perform(isTiny: Bool) throws {
    switch cell.operation {
    case .write: try write(isTiny ? 2 : Int.random(in: 2...6, using: &random))
    case .rebuild: try rebuild()
    case .replace: try replace()
    case .scrub: try scrub()
    case .grow: try grow()
    case .metadata: try changeMetadata(isTiny ? 1 : Int.random(in: 1...3, using: &random))
    }
  }

  private func rebuild() throws {
    let array = try open(present)
    switch Int.random(in: 0..<3, using: &random) {
    case 0:
      // It comes back, and may have missed only a part.
      let probe = try MemberProbe(members[target])
      let ranges = try array.array.admit(members[target], toSlot: target, knownAs: probe)
      join(target)
      _ = try array.array.rebuild(slot: target, ranges: ranges, sweep(over: array))
    case 1:
      try array.array.addSpare(members[newcomer])
      join(newcomer)
      try array.array.promoteSpare(named: members[newcomer].name, toSlot: target)
      _ = try array.array.rebuild(slot: target, sweep(over: array))
    default:
      let ranges = try array.array.admit(members[newcomer], toSlot: target)
      join(newcomer)
      _ = try array.array.rebuild(slot: target, ranges: ranges, sweep(over: array))
    }
    try end(array)
  }

  private func join(_ index: Int) {
    present.append(index)
    hasJoined.insert(index)
  }

  private func replace() throws {
    let array = try open(present)
    try array.array.admitReplacement(members[newcomer], forSlot: target)
    join(newcomer)
    _ = try array.array.rebuild(slot: target, isReplacement: true, sweep(over: array))
    try array.array.finishReplacing(slot: target)
    try end(array)
  }

  private func scrub() throws {
    let array = try open(present)
    var options = Self.scrubbing
    options.sweep = isDamaged ? Self.oneWorker : sweep(over: array)
    let report = try array.array.scrub(options)
    if report.unrepairedCount > 0 {
      throw Violation(.settles, "the scrub left \(report.unrepairedCount) blocks as they were")
    }
    if isDamaged { try array.close() } else { try end(array) }
  }

  /// An operation over the whole array, with a write between its steps or none.
  private func sweep(over array: RecordedArray) -> SweepOptions {
    var options = Self.oneWorker
    guard Bool.random(using: &random) else { return options }
    let seed = random.next()
    let byteCount = geometry.byteCount
    options.progress = { done, _ in
      var random = SeededGenerator(seed: Mixer(seed, UInt64(done)).value)
      let offset = Int.random(in: 0..<byteCount, using: &random)
      let count = min(Int.random(in: 1...6000, using: &random), byteCount - offset)
      do {
        try array.write(random.bytes(count), at: offset)
        if Bool.random(using: &random) { try array.flush() }
      } catch {
        preconditionFailure("a write beside a sweep failed: \(error)")
      }
      return true
    }
    return options
  }

  /// Writes a little more, or not, and closes the array, or not.
  func end(_ array: RecordedArray) throws {
    if Bool.random(using: &random) { try write(1, to: array) }
    if Int.random(in: 0..<3, using: &random) > 0 { try array.close() }
  }

  private func changeMetadata(_ count: Int) throws {
    var array = try open(present)
    var hasFailed = false
    var hasAdded = false
    let isRedundant = cell.level.isRedundant
    let missing = Set(0..<geometry.slotCount).subtracting(present)
    let mayFail = isRedundant && geometry.survives(without: missing.union([target]))
    for _ in 0..<count {
      switch Int.random(in: 0..<4, using: &random) {
      case 0 where mayFail && !hasFailed:
        hasFailed = true
        mayLack.insert(target)
        try array.array.failMember(named: members[target].name)
      case 1 where hasFailed && present.contains(target):
        try array.array.removeMember(named: members[target].name)
        present.removeAll { $0 == target }
      case 2 where isRedundant && !hasAdded:
        hasAdded = true
        try array.array.addSpare(members[newcomer])
        join(newcomer)
      case 2 where hasAdded && present.contains(newcomer):
        try array.array.removeMember(named: members[newcomer].name)
        present.removeAll { $0 == newcomer }
      default:
        if Bool.random(using: &random) { try write(1, to: array) }
        try array.close()
        array = try open(present)
      }
    }
    try end(array)
  }
}
