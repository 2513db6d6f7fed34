/// How an array spreads its data over its members, by the names that people know.
package enum RaidLevel: Hashable, Sendable {
  /// One member after the other.
  case linear
  /// RAID 0: chunks in turn over all members; nothing may be lost.
  case striped
  /// RAID 1: every member holds everything.
  case mirrored
  /// RAID 4: parity on the last slot.
  case dedicatedParity
  /// RAID 5: one parity, rotating.
  case singleParity
  /// RAID 6: two parities, rotating.
  case doubleParity
  /// RAID 10: chunks in turn, each in several copies.
  case mirroredStripes
  /// `ec:K+M`: M parities over GF(2^8); not known to Linux md.
  case erasureCoded(parityCount: Int)

  /// The number that stands for `ec:K+M` in a superblock's level field; md knows no such level.
  package static let erasureCodedNumber: Int32 = 0x6563

  /// The level of a superblock's `level` and `layout` fields; nil for one that is not known.
  package init?(number: Int32, layout: UInt32) {
    switch number {
    case -1: self = .linear
    case 0: self = .striped
    case 1: self = .mirrored
    case 4: self = .dedicatedParity
    case 5: self = .singleParity
    case 6: self = .doubleParity
    case 10: self = .mirroredStripes
    case Self.erasureCodedNumber:
      let parityCount = Int(layout & 0xff)
      guard layout <= 0xff, (1...6).contains(parityCount) else { return nil }
      self = .erasureCoded(parityCount: parityCount)
    default: return nil
    }
  }

  /// What a superblock's `level` field holds.
  package var number: Int32 {
    switch self {
    case .linear: -1
    case .striped: 0
    case .mirrored: 1
    case .dedicatedParity: 4
    case .singleParity: 5
    case .doubleParity: 6
    case .mirroredStripes: 10
    case .erasureCoded: Self.erasureCodedNumber
    }
  }

  /// How many columns of a row are parity; 0 for levels without parity.
  package var parityCount: Int {
    switch self {
    case .linear, .striped, .mirrored, .mirroredStripes: 0
    case .dedicatedParity, .singleParity: 1
    case .doubleParity: 2
    case .erasureCoded(let parityCount): parityCount
    }
  }

  /// The fewest slots that make sense.
  package var minimumSlotCount: Int {
    switch self {
    case .linear, .striped: 1
    case .mirrored, .mirroredStripes: 2
    case .dedicatedParity, .singleParity: 2
    case .doubleParity: 4
    case .erasureCoded(let parityCount): parityCount + 1
    }
  }

  /// Whether members of different sizes are used to their end.
  package var usesWholeMembers: Bool { self == .linear || self == .striped }

  /// The name that mdadm prints; for our own level what `--level` takes: `ec:K+M`.
  package func name(slotCount: Int) -> String {
    switch self {
    case .linear: "linear"
    case .striped: "raid0"
    case .mirrored: "raid1"
    case .dedicatedParity: "raid4"
    case .singleParity: "raid5"
    case .doubleParity: "raid6"
    case .mirroredStripes: "raid10"
    case .erasureCoded(let parityCount): "ec:\(slotCount - parityCount)+\(parityCount)"
    }
  }
}
