import RaidGeometry

/// The levels of the matrix.
package enum LevelName: String, CaseIterable, Sendable {
  case linear
  case raid0
  case raid1
  case raid4
  case raid5
  case raid6
  case near = "raid10-near"
  case far = "raid10-far"
  case offset = "raid10-offset"
  case erasureCoded = "ec"

  /// Whether it can do without a member.
  var isRedundant: Bool { self != .linear && self != .raid0 }

  /// Whether it can be given another shape.
  var canGrow: Bool {
    switch self {
    case .raid0, .raid1, .raid4, .raid5, .raid6, .near, .offset, .erasureCoded: true
    case .linear, .far: false
    }
  }

  /// Whether some member may be missing beside one that is being filled.
  var canLackTwo: Bool {
    switch self {
    case .raid1, .raid6, .near, .offset, .erasureCoded: true
    case .linear, .raid0, .raid4, .raid5, .far: false
    }
  }
}
