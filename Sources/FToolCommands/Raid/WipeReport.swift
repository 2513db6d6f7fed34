import BinaryCodec
import BlockStorage
import MDFormat
import Raid

/// What `raid wipe` erased, or would erase.
struct WipeReport: Report {
  let erasures: [MetadataErasure]
  let isPlan: Bool

  var type: String { isPlan ? "raid-wipe-plan" : "raid-wipe" }

  func text(_ style: TextStyle) -> String {
    erasures.map { erasure in
      let array = erasure.probe.map { " of \($0.superblock.name)" } ?? ""
      let head =
        (isPlan ? "would erase from " : "erased from ") + erasure.device.name + array + ":\n"
      return head
        + erasure.pieces.map {
          "  \($0.name): \(ByteSize($0.range.count)) at byte \($0.range.lowerBound)\n"
        }.joined()
    }.joined()
  }

  var json: JSONValue {
    [
      "dry_run": .bool(isPlan),
      "members": .array(
        erasures.map { erasure in
          [
            "path": .string(erasure.device.name),
            "array": .string(erasure.probe?.superblock.name),
            "uuid": .string(erasure.probe?.superblock.arrayID.description),
            "erased": .array(
              erasure.pieces.map {
                [
                  "what": .string($0.name), "offset": .number($0.range.lowerBound),
                  "bytes": .number($0.range.count),
                ]
              }),
          ]
        }),
    ]
  }
}
