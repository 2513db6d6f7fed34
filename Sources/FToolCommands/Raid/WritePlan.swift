import BlockStorage
import Raid
import RaidGeometry

/// What `raid write --dry-run` would write, member by member.
struct WritePlan: Report {
  private let name: String
  private let start: Int
  /// nil for a pipe, which may go on to the array's end.
  private let byteCount: Int?
  private let members: [String]
  /// Which bytes of each member's data it touches at most; nil where that is another range on each.
  private let memberRange: Range<Int>?

  init(_ array: RaidArray, start: Int, byteCount: Int?) {
    name = array.name
    self.start = start
    self.byteCount = byteCount
    members = array.members.active.map(\.name)
    let range = start..<(byteCount.map { start + $0 } ?? array.byteCount)
    switch array.shape.placement {
    case .parity(let parity):
      let rows =
        range.lowerBound / parity.rowByteCount..<(range.upperBound + parity.rowByteCount - 1)
        / parity.rowByteCount
      memberRange =
        rows.lowerBound * parity.chunkByteCount..<rows.upperBound * parity.chunkByteCount
    case .copies: memberRange = array.shape.level == .mirrored ? range : nil
    }
  }

  let type = "raid-write-plan"

  func text(_ style: TextStyle) -> String {
    let amount = byteCount.map { "\(ByteSize($0))" } ?? "standard input"
    let part =
      memberRange.map { "data within bytes \($0.lowerBound) to \($0.upperBound)" }
      ?? "its share of the data"
    return "would write \(amount) to \(name) at byte \(start):\n"
      + members.map { "  \($0): \(part), its sums, the superblock\n" }.joined()
  }

  var json: JSONValue {
    [
      "array": .string(name), "offset": .number(start), "bytes": .number(byteCount),
      "members": .array(
        members.map {
          [
            "path": .string($0), "data_from": .number(memberRange?.lowerBound),
            "data_to": .number(memberRange?.upperBound),
          ]
        }),
    ]
  }
}
