/// A level as it is said on the command line.
package enum LevelChoice: Hashable, Sendable, CustomStringConvertible {
  /// One member behind the other.
  case linear
  /// RAID 0.
  case stripe
  /// RAID 1.
  case mirror
  /// RAID 4.
  case raid4
  /// RAID 5.
  case raid5
  /// RAID 6.
  case raid6
  /// RAID 10.
  case raid10
  /// `dataCount` data and `parityCount` parity members a stripe; no level of Linux md's.
  case erasure(dataCount: Int, parityCount: Int)

  /// The most parities that a stripe can have.
  static let maximumParityCount = 6
  /// The most members an array can have.
  static let maximumMemberCount = 255

  /// Reads `linear | 0|stripe | 1|mirror | 4 | 5 | 6 | 10 | ec:K+M`; `raid5` is `5`.
  init(parsing text: String) throws(InvalidValue) {
    let name = text.lowercased()
    if name.hasPrefix("ec:") {
      self = try Self.erasure(parsing: name.dropFirst(3))
      return
    }
    switch name.hasPrefix("raid") ? name.dropFirst(4) : name[...] {
    case "linear": self = .linear
    case "0", "stripe": self = .stripe
    case "1", "mirror": self = .mirror
    case "4": self = .raid4
    case "5": self = .raid5
    case "6": self = .raid6
    case "10": self = .raid10
    default:
      throw InvalidValue("levels are linear, 0, 1, 4, 5, 6, 10 and ec:K+M")
    }
  }

  private static func erasure(parsing text: Substring) throws(InvalidValue) -> LevelChoice {
    let counts = text.split(separator: "+", omittingEmptySubsequences: false).map { Int($0) }
    guard counts.count == 2, let dataCount = counts[0], let parityCount = counts[1] else {
      throw InvalidValue("ec:K+M has K data and M parity members, such as ec:8+3")
    }
    guard dataCount >= 1, (1...maximumParityCount).contains(parityCount) else {
      throw InvalidValue("there must be some data, and 1 to \(maximumParityCount) parities")
    }
    guard dataCount <= maximumMemberCount - parityCount else {
      throw InvalidValue("an array has at most \(maximumMemberCount) members")
    }
    return .erasure(dataCount: dataCount, parityCount: parityCount)
  }

  /// The level for so many members where none was asked for: one member may be lost with two or
  /// three of them, two with more.
  static func standard(memberCount: Int) -> LevelChoice? {
    switch memberCount {
    case ..<2: nil
    case 2: .mirror
    case 3: .raid5
    default: .raid6
    }
  }

  /// The fewest active members that make an array of this level.
  var minimumMemberCount: Int {
    switch self {
    case .linear, .stripe: 1
    case .mirror, .raid4, .raid5, .raid10: 2
    case .raid6: 4
    case .erasure(let dataCount, let parityCount): dataCount + parityCount
    }
  }

  /// The most active members of an array of this level.
  var maximumMemberCount: Int {
    switch self {
    case .mirror: 16
    case .linear, .stripe, .raid4, .raid5, .raid6, .raid10: Self.maximumMemberCount
    case .erasure(let dataCount, let parityCount): dataCount + parityCount
    }
  }

  /// Whether the data is cut into chunks.
  var hasChunks: Bool {
    switch self {
    case .linear, .mirror: false
    case .stripe, .raid4, .raid5, .raid6, .raid10, .erasure: true
    }
  }

  /// Whether something is left to compute from when a member is lost.
  var hasRedundancy: Bool {
    switch self {
    case .linear, .stripe: false
    case .mirror, .raid4, .raid5, .raid6, .raid10, .erasure: true
    }
  }

  package var description: String {
    switch self {
    case .linear: "linear"
    case .stripe: "0"
    case .mirror: "1"
    case .raid4: "4"
    case .raid5: "5"
    case .raid6: "6"
    case .raid10: "10"
    case .erasure(let dataCount, let parityCount): "ec:\(dataCount)+\(parityCount)"
    }
  }
}
