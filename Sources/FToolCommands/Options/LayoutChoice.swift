/// A layout as it is said on the command line: which names each level knows, under mdadm's long
/// and short names.
package enum LayoutChoice: Hashable, Sendable, CustomStringConvertible {
  /// RAID 5, RAID 6: where parity stands in a stripe, by its full name.
  case parity(String)
  /// RAID 10: copies side by side in a stripe.
  case near(copyCount: Int)
  /// RAID 10: each further copy in a part of its own of every member.
  case far(copyCount: Int)
  /// RAID 10: each further copy in the next stripe.
  case offset(copyCount: Int)
  /// RAID 0 of unequal members, as kernels before 3.14 laid it out.
  case original
  /// RAID 0 of unequal members, as kernels since 3.14 lay it out.
  case alternate

  private static let parityNames = [
    "left-symmetric": "ls", "left-asymmetric": "la", "right-symmetric": "rs",
    "right-asymmetric": "ra", "parity-first": "pf", "parity-last": "pl",
  ]

  /// Reads a layout without knowing the level yet.
  init(parsing text: String) throws(InvalidValue) {
    let name = text.lowercased()
    if let (full, _) = Self.parityNames.first(where: { $0 == name || $1 == name }) {
      self = .parity(full)
    } else if name == "original" {
      self = .original
    } else if name == "alternate" {
      self = .alternate
    } else {
      self = try Self.copies(parsing: name)
    }
  }

  private static func copies(parsing name: String) throws(InvalidValue) -> LayoutChoice {
    let unknown = InvalidValue(
      "layouts are left-symmetric, left-asymmetric, right-symmetric, right-asymmetric, parity-first "
        + "and parity-last for 5 and 6, near=N, far=N and offset=N for 10, "
        + "original and alternate for 0")
    let kind: Substring
    let digits: Substring
    if let equals = name.firstIndex(of: "=") {
      (kind, digits) = (name[..<equals], name[equals...].dropFirst())
    } else {
      (kind, digits) = (name.prefix(1), name.dropFirst())
    }
    guard let copyCount = Int(digits), digits.allSatisfy(\.isNumber) else { throw unknown }
    guard (1...LevelChoice.maximumMemberCount).contains(copyCount) else {
      throw InvalidValue("there is no array with \(copyCount) copies")
    }
    switch kind {
    case "near", "n": return .near(copyCount: copyCount)
    case "far", "f": return .far(copyCount: copyCount)
    case "offset", "o": return .offset(copyCount: copyCount)
    default: throw unknown
    }
  }

  /// Whether arrays of this level can have this layout.
  func fits(_ level: LevelChoice) -> Bool {
    switch (level, self) {
    case (.raid5, .parity), (.raid6, .parity): true
    case (.raid10, .near), (.raid10, .far), (.raid10, .offset): true
    case (.stripe, .original), (.stripe, .alternate): true
    default: false
    }
  }

  /// The number of copies that a layout of RAID 10 says.
  var copyCount: Int? {
    switch self {
    case .near(let copyCount), .far(let copyCount), .offset(let copyCount): copyCount
    case .parity, .original, .alternate: nil
    }
  }

  package var description: String {
    switch self {
    case .parity(let name): name
    case .near(let copyCount): "near=\(copyCount)"
    case .far(let copyCount): "far=\(copyCount)"
    case .offset(let copyCount): "offset=\(copyCount)"
    case .original: "original"
    case .alternate: "alternate"
    }
  }
}
