/// What a scrub found and did.
package struct ScrubReport: Sendable, Equatable {
  /// A block of 4 KiB that was not as it should be.
  package struct Finding: Sendable, Equatable {
    /// What is wrong.
    package var problem: Problem
    /// What came of it.
    package var outcome: Outcome
    /// The member that is wrong; nil where that can't be known.
    package var member: String?
    /// The slot of that member.
    package var slot: Int?
    /// Data offset on the members, in bytes.
    package var memberOffset: Int

    package init(
      problem: Problem, outcome: Outcome, member: String?, slot: Int?, memberOffset: Int
    ) {
      self.problem = problem
      self.outcome = outcome
      self.member = member
      self.slot = slot
      self.memberOffset = memberOffset
    }
  }

  /// What can be wrong with a block; the raw value is the word for scripts.
  package enum Problem: String, Sendable {
    /// The content does not agree with its sum.
    case damaged
    /// The member can't read it.
    case unreadable
    /// The data is right and the parity is not that of the data.
    case wrongParity = "wrong-parity"
    /// Two parities name the member whose data is wrong.
    case wrongData = "wrong-data"
    /// A copy differs from the others.
    case differingCopy = "differing-copy"
    /// The sum is wrong, the data is right.
    case wrongSum = "wrong-sum"
  }

  /// What can come of a problem; the raw value is the word for scripts.
  package enum Outcome: String, Sendable {
    case repaired
    /// Repairing was not wanted.
    case left
    /// Too much is lost to repair it.
    case unrepairable
    /// Members contradict each other and nothing says who is right.
    case cannotBeKnown = "cannot-be-known"
  }

  /// The first findings, at most `listLimit`.
  package private(set) var findings: [Finding] = []
  /// How many findings are kept one by one; the counts go on.
  package static let listLimit = 10_000
  /// All findings of the pass, blocks: with those of its parts before an interruption, which are not
  /// among `findings`.
  package private(set) var findingCount = 0
  /// Those of them that are right now.
  package private(set) var repairedCount = 0
  /// Unrepairable, left, or not to be known.
  package private(set) var unrepairedCount = 0
  /// Sums that were stale, or not there yet, and have been computed anew: blocks.
  package var renewedSumCount = 0
  /// Sums that are stale, damaged or not there yet, where repairing was not wanted: blocks.
  package var dueSumCount = 0
  /// Blocks in doubt after a crash whose parity or copies were made to agree.
  package var resyncedBlockCount = 0
  /// Blocks that their members could not give, and of which the others may be of two times after a crash: nobody may
  /// compute them, and so everything stays in doubt that was.
  package var undecidedBlockCount = 0
  /// Blocks whose sums are damaged or gone, and of which nobody else knows better: they were taken as they are.
  package var unprovenBlockCount = 0
  /// Member bytes that were read, and that were skipped because they are holes and say so.
  package var checkedByteCount = 0
  /// See `checkedByteCount`.
  package var skippedByteCount = 0
  /// What the same pass had found before it was interrupted; in the counts, too.
  package private(set) var earlier = ScrubTally()
  /// How far it came, and how far it was to go.
  package var position = 0
  /// See `position`.
  package var end = 0

  /// Whether it came to the end of its range.
  package var isComplete: Bool { position == end }

  package init() {}

  mutating func add(_ finding: Finding) {
    findingCount += 1
    if finding.outcome == .repaired { repairedCount += 1 } else { unrepairedCount += 1 }
    if findings.count < Self.listLimit { findings.append(finding) }
  }

  /// Takes over what another part of the same pass has found and done.
  mutating func add(_ part: ScrubReport) {
    findings += part.findings.prefix(Self.listLimit - findings.count)
    findingCount += part.findingCount
    repairedCount += part.repairedCount
    unrepairedCount += part.unrepairedCount
    renewedSumCount += part.renewedSumCount
    dueSumCount += part.dueSumCount
    resyncedBlockCount += part.resyncedBlockCount
    undecidedBlockCount += part.undecidedBlockCount
    unprovenBlockCount += part.unprovenBlockCount
    checkedByteCount += part.checkedByteCount
    skippedByteCount += part.skippedByteCount
  }

  /// Counts what the pass had found before it was interrupted.
  mutating func goOn(from tally: ScrubTally) {
    earlier = tally
    findingCount += tally.repairedCount + tally.unrepairedCount
    repairedCount += tally.repairedCount
    unrepairedCount += tally.unrepairedCount
  }
}
