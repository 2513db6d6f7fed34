import BinaryCodec
import MDFormat
import Raid
import RaidGeometry

/// What `raid create` made, or would make.
struct CreationReport: Report {
  private let creation: ArrayCreation
  private let isPlan: Bool

  init(_ creation: ArrayCreation, isPlan: Bool) {
    self.creation = creation
    self.isPlan = isPlan
  }

  var type: String { isPlan ? "raid-create-plan" : "raid-create" }

  func text(_ style: TextStyle) -> String {
    let shape = creation.shape
    let verb = isPlan ? "would create" : "created"
    var text =
      "\(verb) \(creation.request.name): \(shape.levelName), \(ByteSize(shape.byteCount)), "
      + "\(creation.slotCount) members, UUID \(creation.arrayID)\n"
    guard isPlan else { return text }
    var table = TextTable(
      ["MEMBER", "SLOT", "DATA AT", "DATA", "SUMS AT"],
      alignments: [.leading, .trailing, .trailing, .trailing, .trailing])
    for member in creation.plan {
      let sums = member.regions.first { $0.kind == .sums }
      table.append([
        member.name, member.slot.map(String.init) ?? "spare", "\(member.dataOffset)",
        "\(ByteSize(member.dataByteCount))", sums.map { "\($0.range.lowerBound)" } ?? "-",
      ])
    }
    text += table.text(style)
    return text
  }

  var json: JSONValue {
    let shape = creation.shape
    return [
      "name": .string(creation.request.name), "uuid": .string(creation.arrayID.description),
      "level": .string(shape.levelName), "bytes": .number(shape.byteCount),
      "chunk_bytes": .number(shape.chunkByteCount), "slots": .number(creation.slotCount),
      "metadata": .string(creation.request.version.rawValue),
      "members": .array(
        creation.plan.map { member in
          [
            "path": .string(member.name), "slot": .number(member.slot),
            "data_offset": .number(member.dataOffset),
            "data_bytes": .number(member.dataByteCount),
            "regions": .array(
              member.regions.map { region in
                [
                  "kind": .string("\(region.kind)"), "offset": .number(region.range.lowerBound),
                  "bytes": .number(region.range.count),
                ]
              }),
          ]
        }),
    ]
  }
}
