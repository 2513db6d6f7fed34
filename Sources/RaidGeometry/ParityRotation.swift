/// Where parity lies in row after row, by Linux md's algorithm numbers (include/uapi/linux/raid/md_p.h
/// and drivers/md/raid5.h), and one of our own.
package enum ParityRotation: UInt32, CaseIterable, Sendable {
  case leftAsymmetric = 0
  case rightAsymmetric = 1
  case leftSymmetric = 2
  case rightSymmetric = 3
  case parityFirst = 4
  case parityLast = 5
  case ddfZeroRestart = 8
  case ddfNRestart = 9
  case ddfNContinue = 10
  case leftAsymmetric6 = 16
  case rightAsymmetric6 = 17
  case leftSymmetric6 = 18
  case rightSymmetric6 = 19
  case parityFirst6 = 20

  /// The name that mdadm uses.
  package var name: String {
    switch self {
    case .leftAsymmetric: "left-asymmetric"
    case .rightAsymmetric: "right-asymmetric"
    case .leftSymmetric: "left-symmetric"
    case .rightSymmetric: "right-symmetric"
    case .parityFirst: "parity-first"
    case .parityLast: "parity-last"
    case .ddfZeroRestart: "ddf-zero-restart"
    case .ddfNRestart: "ddf-N-restart"
    case .ddfNContinue: "ddf-N-continue"
    case .leftAsymmetric6: "left-asymmetric-6"
    case .rightAsymmetric6: "right-asymmetric-6"
    case .leftSymmetric6: "left-symmetric-6"
    case .rightSymmetric6: "right-symmetric-6"
    case .parityFirst6: "parity-first-6"
    }
  }

  /// The rotation of this name, or nil.
  package init?(name: String) {
    guard let match = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = match
  }

  /// Whether md has this rotation for a level with so many parities.
  package func exists(withParityCount parityCount: Int) -> Bool {
    switch parityCount {
    case 1: rawValue <= 5
    case 2: true
    default: self == .leftSymmetric
    }
  }

  /// Whether data's own slot numbers are the exponents of Q, leaving gaps where P and Q are.
  var countsEverySlot: Bool {
    self == .ddfZeroRestart || self == .ddfNRestart || self == .ddfNContinue
  }
}
