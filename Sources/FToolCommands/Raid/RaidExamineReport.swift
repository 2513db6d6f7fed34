import MDFormat

/// What `raid examine` found on members.
struct RaidExamineReport: Report {
  /// A device that was asked about.
  enum Item: Sendable {
    case member(RaidExamineFinding)
    /// It has a superblock that can't be used.
    case broken(SuperblockPlaces)
  }

  let items: [Item]

  var type: String { "raid-examine" }

  func text(_ style: TextStyle) -> String {
    items.map { item in
      let (name, lines) =
        switch item {
        case .member(let finding):
          (
            finding.name,
            (finding.superblock.version == .v0_90 ? finding.legacyLines : finding.lines)
              + finding.ownLines
          )
        case .broken(let places): (places.name, places.lines)
        }
      return style.strong("\(name):") + "\n" + lines.joined(separator: "\n") + "\n"
    }.joined(separator: "\n")
  }

  var json: JSONValue {
    [
      "members": .array(
        items.map { item in
          switch item {
          case .member(let finding): finding.json
          case .broken(let places): places.json
          }
        })
    ]
  }
}

extension RaidExamineFinding {
  /// `           Name : value`, with the colon where mdadm has it.
  static func line(_ name: String, _ value: String, width: Int = 15) -> String {
    String(repeating: " ", count: max(0, width - name.count)) + name + " : " + value
  }
}
