import Raid

/// What `read --salvage` got out of an array, and what it did not.
struct SalvageReport: Report {
  let array: String
  /// Array bytes that were wanted.
  let range: Range<Int>
  let rescuedByteCount: Int
  /// Written, but from members that are out of date, or in doubt.
  let doubtfulByteCount: Int
  let untriedByteCount: Int
  /// All that is neither of these.
  let lostByteCount: Int
  /// How many pieces what is lost lies in.
  let lostPieceCount: Int
  let blocksRestored: Int
  let mapPath: String?

  /// - Parameter isForced: what is in doubt does not count as lost.
  init(
    _ map: RescueMap, of range: Range<Int>, array: RaidArray, isForced: Bool, mapPath: String?
  ) {
    self.array = array.name
    self.range = range
    self.mapPath = mapPath
    blocksRestored = array.blocksRestored
    var bytes = (rescued: 0, doubtful: 0, untried: 0, lost: 0)
    var pieces = 0
    var lossEnd = -1
    map.forEach(in: range) { piece in
      switch piece.status {
      case .rescued: bytes.rescued += piece.range.count
      case .untried: bytes.untried += piece.range.count
      case .unscraped where isForced: bytes.doubtful += piece.range.count
      case .unscraped, .untrimmed, .lost:
        bytes.lost += piece.range.count
        if piece.range.lowerBound != lossEnd { pieces += 1 }
        lossEnd = piece.range.upperBound
      }
    }
    rescuedByteCount = bytes.rescued
    doubtfulByteCount = bytes.doubtful
    untriedByteCount = bytes.untried
    lostByteCount = bytes.lost
    lostPieceCount = pieces
  }

  let type = "raid-read"

  /// `64 KiB in 3 pieces`
  var losses: String {
    "\(ByteSize(lostByteCount).exactDescription) in \(lostPieceCount) "
      + (lostPieceCount == 1 ? "piece" : "pieces")
  }

  func text(_ style: TextStyle) -> String {
    let permille =
      range.isEmpty ? 1000 : Int(Double(rescuedByteCount) / Double(range.count) * 1000)
    var lines: [(String, String)] = [
      (
        "Rescued",
        "\(ByteSize(rescuedByteCount).exactDescription) of \(ByteSize(range.count)), "
          + "\(permille / 10).\(permille % 10) %"
      )
    ]
    if doubtfulByteCount > 0 {
      lines.append(
        (
          "In doubt",
          style.warning("\(ByteSize(doubtfulByteCount).exactDescription), written as it is")
        )
      )
    }
    if lostByteCount > 0 { lines.append(("Lost", style.bad(losses))) }
    if untriedByteCount > 0 {
      lines.append(("Not tried", ByteSize(untriedByteCount).exactDescription))
    }
    if let mapPath { lines.append(("Map", mapPath)) }
    return lines.map { name, value in
      style.strong("\(name):") + String(repeating: " ", count: 12 - name.count) + value + "\n"
    }.joined()
  }

  var json: JSONValue {
    [
      "array": .string(array), "offset": .number(range.lowerBound), "bytes": .number(range.count),
      "complete": .bool(lostByteCount == 0 && untriedByteCount == 0),
      "blocks_restored": .number(blocksRestored), "rescued_bytes": .number(rescuedByteCount),
      "doubtful_bytes": .number(doubtfulByteCount), "untried_bytes": .number(untriedByteCount),
      "lost_bytes": .number(lostByteCount), "lost_pieces": .number(lostPieceCount),
      "map": .string(mapPath),
    ]
  }
}
