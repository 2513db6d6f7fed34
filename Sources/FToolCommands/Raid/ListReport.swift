import BinaryCodec
import BlockStorage
import MDFormat
import Raid
import RaidGeometry

/// What `raid list` says: a line for each array.
struct ListReport: Report {
  struct Line: Sendable {
    var uuid: String
    var name: String
    var level: String?
    var byteCount: Int?
    /// The condition's word, as `status` says it.
    var state: String
    /// Members that take part, and how many the array has.
    var found: Int
    var expected: Int
    var paths: [String]

    init(_ status: ArrayStatus, _ probes: [MemberProbe]) {
      uuid = status.reference.arrayID.description
      name = status.name
      level = status.shape?.levelName
      byteCount = status.byteCount
      state = status.condition.rawValue
      let slots = status.rows.compactMap { row in row.isUsed ? row.slot : nil }
      found = Set(slots).count
      expected = status.reference.slotCount
      paths = probes.map(\.name).sorted()
    }

    /// Members that make no array together.
    init(_ probes: [MemberProbe], _ failure: Failure) {
      let superblock = probes.first?.superblock
      uuid = superblock?.arrayID.description ?? ""
      name = superblock?.name ?? ""
      state = ArrayStatus.Condition.notStartable.rawValue
      found = probes.count
      expected = superblock?.slotCount ?? 0
      paths = probes.map(\.name).sorted()
    }
  }

  let lines: [Line]
  let type = "raid-list"

  func text(_ style: TextStyle) -> String {
    guard !lines.isEmpty else { return "no arrays were found\n" }
    var table = TextTable(
      ["NAME", "LEVEL", "SIZE", "STATE", "MEMBERS", "UUID"],
      alignments: [.leading, .leading, .trailing, .leading, .trailing, .leading])
    for line in lines {
      let state =
        switch ArrayStatus.Condition(rawValue: line.state) {
        case .healthy: style.good(line.state)
        case .inDoubt, .degraded, .rebuilding: style.warning(line.state)
        case .incomplete, .damaged, .notStartable, nil: style.bad(line.state)
        }
      table.append([
        line.name, line.level ?? "?", line.byteCount.map { "\(ByteSize($0))" } ?? "?", state,
        "\(line.found)/\(line.expected)", line.uuid,
      ])
    }
    return table.text(style)
  }

  var json: JSONValue {
    [
      "arrays": .array(
        lines.map { line in
          [
            "name": .string(line.name), "uuid": .string(line.uuid), "level": .string(line.level),
            "bytes": .number(line.byteCount), "state": .string(line.state),
            "members_found": .number(line.found), "members_expected": .number(line.expected),
            "paths": .array(line.paths.map { .string($0) }),
          ]
        })
    ]
  }
}
