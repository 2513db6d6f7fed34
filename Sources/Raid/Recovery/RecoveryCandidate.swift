import RaidGeometry

/// A layout that may be the right one, and what speaks for it.
package struct RecoveryCandidate: Sendable {
  /// Something that was found out about a candidate.
  package struct Evidence: Sendable, Equatable {
    /// What was looked at: a word for scripts.
    package enum Kind: String, Sendable {
      case superblock, parity, copies, filesystem, sequence, continuity, origin, convention
    }

    /// What was looked at.
    package let kind: Kind
    /// The logarithm of how many times likelier it makes the candidate; below zero when it speaks against it.
    package let weight: Double
    /// The finding, in words.
    package let text: String
  }

  /// Where the bytes lie.
  package let shape: ArrayShape
  /// By slot: the index of the device that was given, nil for a slot that has none.
  package var order: [Int?]
  /// By slot: where the data starts on the device.
  package var dataOffsets: [Int]
  /// Everything found out about it so far.
  package internal(set) var evidence: [Evidence] = []
  /// From 0 to 1, among all candidates that were looked at.
  package internal(set) var confidence = 0.0
  /// Other orders of the same devices that read the same.
  package internal(set) var equivalentCount = 0
  /// Its parity, if it has any, has been computed anew.
  var isParityChecked = false

  init(shape: ArrayShape, order: [Int?], dataOffsets: [Int]) {
    self.shape = shape
    self.order = order
    self.dataOffsets = dataOffsets
  }

  /// The sum of all weights: the logarithm of how likely it is, up to a constant.
  package var score: Double { evidence.reduce(0) { $0 + $1.weight } }

  /// What speaks for it beyond habit: without any of this a candidate is a guess.
  var findings: Double {
    evidence.reduce(0) { $0 + ($1.kind == .convention ? 0 : $1.weight) }
  }

  mutating func note(_ kind: Evidence.Kind, _ weight: Double, _ text: String) {
    evidence.append(Evidence(kind: kind, weight: weight, text: text))
  }
}

/// What came of a search.
package struct RecoveryResult: Sendable {
  /// The best first.
  package let candidates: [RecoveryCandidate]
  /// Whether the first one stands out.
  package let isDecided: Bool
  /// What was seen of the members as a whole, in words.
  package let notes: [String]
  /// What would help to decide, in words; empty when it is decided.
  package let advice: [String]
  /// How many bytes were read.
  package internal(set) var byteCountRead: Int
  /// Whether the members agree as the first candidate has them; nil where nothing could be compared.
  package internal(set) var agreement: MemberAgreement?
  /// Devices of the first candidate whose superblocks say that they missed the last changes.
  package internal(set) var staleDevices: [Int] = []
}
