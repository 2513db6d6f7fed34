import MDFormat

/// What `raid examine` found on members.
struct RaidExamineReport: Report {
  let findings: [RaidExamineFinding]

  var type: String { "raid-examine" }

  func text(_ style: TextStyle) -> String {
    findings.map { finding in
      let version = finding.superblock.version == .v0_90
      let lines = version ? finding.legacyLines : finding.lines
      return style.strong("\(finding.name):") + "\n"
        + (lines + finding.ownLines).joined(separator: "\n") + "\n"
    }.joined(separator: "\n")
  }

  var json: JSONValue { ["members": .array(findings.map(\.json))] }
}

extension RaidExamineFinding {
  /// `           Name : value`, with the colon where mdadm has it.
  static func line(_ name: String, _ value: String, width: Int = 15) -> String {
    String(repeating: " ", count: max(0, width - name.count)) + name + " : " + value
  }
}
