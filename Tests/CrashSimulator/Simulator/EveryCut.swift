/// Every way in which the power can go off during a scenario: at every point, with every choice of every
/// family, but for those that leave the same as one before, with the same promises given, and for tears far
/// behind the beginning of a long write: most of these are zeros for a region that has nothing in it yet.
package struct EveryCut: Sequence, IteratorProtocol {
  /// Sectors.
  private static let tearLimit = 16

  private let trace: Trace
  private let memberCount: Int
  private var caches: WriteCaches
  private var family = 0
  private var variant = 0
  private var promises: UInt64 = 0
  private var seen: Set<UInt64> = []

  package init(_ scenario: Scenario) {
    trace = scenario.trace
    memberCount = scenario.members.count
    caches = WriteCaches(trace, at: 0, memberCount: memberCount)
  }

  package mutating func next() -> PowerCut? {
    while true {
      guard family < CutFamily.allCases.count else {
        guard caches.point < trace.events.count else { return nil }
        note(trace.events[caches.point])
        caches = WriteCaches(trace, at: caches.point + 1, memberCount: memberCount)
        family = 0
        variant = 0
        continue
      }
      let kind = CutFamily.allCases[family]
      guard variant < kind.variantCount(caches, trace, memberCount: memberCount) else {
        family += 1
        variant = 0
        continue
      }
      let cut = PowerCut(trace, caches, kind, variant: variant)
      variant += 1
      if cut.isTorn(behind: Self.tearLimit) { continue }
      if seen.insert(Mixer(cut.outcome(trace), promises).value).inserted { return cut }
    }
  }

  /// What the array's users know has changed.
  private mutating func note(_ event: Trace.Event) {
    if event.kind == .write || event.kind == .flush { return }
    promises = Mixer(promises, UInt64(event.kind.rawValue), UInt64(event.subject)).value
  }
}
