import FToolTestSupport
import Raid

/// One state in which a power cut leaves an array: where the power went off and what survived, who is there
/// afterwards, and whether it goes off again while the array is brought back.
package struct CrashState: Sendable {
  package let cut: PowerCut
  /// Indices of members that went with the power: the first time, or only the second.
  let lost: Set<Int>
  /// Indices of members that had been away, and are given with the others now.
  let returning: Set<Int>
  /// Cuts the power again during recovery, by this seed.
  package let secondSeed: UInt64?
  /// The members that are lost went with the second cut, and take part in the recovery before.
  let isLossLate: Bool
  /// Decides what is looked at afterwards.
  let seed: UInt64

  /// Any state, as a seed has it.
  package init(_ scenario: Scenario, number: Int) {
    var random = SeededGenerator(seed: Mixer(scenario.seed, UInt64(number)).value)
    cut = Self.anyCut(scenario.trace, memberCount: scenario.members.count, &random)
    lost = Int.random(in: 0..<4, using: &random) == 0 ? Self.anyLoss(scenario, &random) : []
    returning =
      Int.random(in: 0..<4, using: &random) == 0
      ? Set(scenario.absent).subtracting(lost) : []
    secondSeed = Int.random(in: 0..<4, using: &random) == 0 ? random.next() : nil
    isLossLate = secondSeed != nil && !lost.isEmpty && Bool.random(using: &random)
    seed = random.next()
  }

  /// The same for states that are the same.
  package var digest: UInt64 {
    var mixer = Mixer(UInt64(cut.point), UInt64(cut.family.rawValue), secondSeed ?? 0, seed)
    if isLossLate { mixer.add(1) }
    for index in lost.sorted() + returning.sorted() { mixer.add(UInt64(index)) }
    for piece in cut.pieces {
      mixer.add(UInt64(piece.event))
      mixer.add(UInt64(piece.sectors.lowerBound))
      mixer.add(UInt64(piece.sectors.upperBound))
    }
    return mixer.value
  }

  /// One with a cut that was chosen, and nobody lost.
  init(_ scenario: Scenario, _ cut: PowerCut, number: Int) {
    self.cut = cut
    lost = []
    returning = []
    secondSeed = nil
    isLossLate = false
    seed = Mixer(scenario.seed, UInt64(number)).value
  }

  /// Any point; any family that has a choice there; any of its choices.
  static func anyCut(
    _ trace: Trace, memberCount: Int, _ random: inout SeededGenerator
  ) -> PowerCut {
    let point = Int.random(in: 0...trace.events.count, using: &random)
    let caches = WriteCaches(trace, at: point, memberCount: memberCount)
    while true {
      let family = CutFamily.allCases.randomElement(using: &random)!
      let count = family.variantCount(caches, trace, memberCount: memberCount)
      if count == 0 { continue }
      let variant =
        family.isChance
        ? Int(random.next() >> 1) : Int.random(in: 0..<count, using: &random)
      return PowerCut(trace, caches, family, variant: variant)
    }
  }

  /// One member, or more, without which everything is still there.
  private static func anyLoss(
    _ scenario: Scenario, _ random: inout SeededGenerator
  ) -> Set<Int> {
    // What is damaged needs all that is left.
    if scenario.isDamaged { return [] }
    var lost: Set<Int> = []
    var missing = scenario.mayLack
    for index in scenario.everPresent.shuffled(using: &random) {
      let more = missing.union([scenario.slots[index]])
      guard scenario.geometry.survives(without: more), more.count <= scenario.lossLimit else {
        continue
      }
      lost.insert(index)
      missing = more
      if Bool.random(using: &random) { break }
    }
    return lost
  }
}
