import MDFormat
import RaidGeometry

// What was said on the command line, in the engine's terms.

extension LevelChoice {
  var engine: RaidLevel {
    switch self {
    case .linear: .linear
    case .stripe: .striped
    case .mirror: .mirrored
    case .raid4: .dedicatedParity
    case .raid5: .singleParity
    case .raid6: .doubleParity
    case .raid10: .mirroredStripes
    case .erasure(_, let parityCount): .erasureCoded(parityCount: parityCount)
    }
  }

  /// The superblock's layout word for a layout of this level, or for the usual one.
  func word(_ layout: LayoutChoice?) -> UInt32 {
    if let layout { return layout.word }
    switch self {
    case .raid5, .raid6: return ParityRotation.leftSymmetric.rawValue
    case .raid10: return LayoutChoice.near(copyCount: 2).word
    case .stripe: return LayoutChoice.alternate.word
    case .erasure(_, let parityCount): return UInt32(parityCount)
    case .linear, .mirror, .raid4: return 0
    }
  }
}

extension LayoutChoice {
  /// The superblock's layout word.
  var word: UInt32 {
    switch self {
    case .parity(let name): ParityRotation(name: name)?.rawValue ?? 2
    case .near(let copyCount): 0x100 | UInt32(copyCount)
    case .far(let copyCount): UInt32(copyCount) << 8 | 1
    case .offset(let copyCount): 0x10000 | UInt32(copyCount) << 8 | 1
    case .original: StripeZone.Order.original.rawValue
    case .alternate: StripeZone.Order.alternate.rawValue
    }
  }
}

extension MetadataChoice {
  var engine: MDMetadataVersion {
    switch self {
    case .version1_0: .v1_0
    case .version1_1: .v1_1
    case .version1_2: .v1_2
    }
  }
}

extension UUIDChoice {
  /// The digits alone.
  var hex: String {
    bytes.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }
}
