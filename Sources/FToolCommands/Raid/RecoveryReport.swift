import Raid
import RaidGeometry

/// What `raid recover` found: a table of candidates, why the first is believed, and how to read it.
struct RecoveryReport: Report {
  let type = "raid-recover"
  private let result: RecoveryResult
  private let members: [String]
  private let holes: [HolesOption.Hole]
  /// Members that say by themselves all that is needed to read them; none where they don't.
  private let standing: [String]
  /// How many candidates the table shows.
  private static let rowLimit = 8

  /// - Parameter standing: members whose superblocks suffice.
  init(
    _ result: RecoveryResult, members: [String], holes: [HolesOption.Hole], standing: [String]
  ) {
    self.result = result
    self.standing = standing
    self.holes = holes
    self.members = members
  }

  func text(_ style: TextStyle) -> String {
    var table = TextTable(
      ["", "LIKELY", "LEVEL", "CHUNK", "LAYOUT", "DATA AT", "SIZE", "MEMBERS IN ORDER"],
      alignments: [.trailing, .trailing, .leading, .trailing, .leading, .trailing, .trailing])
    for (index, candidate) in result.candidates.prefix(Self.rowLimit).enumerated() {
      let layout = AssumedLayout(candidate)
      table.append([
        "\(index + 1)", Self.percent(candidate.confidence), layout.levelText,
        layout.chunkByteCount > 0 ? AssumedLayout.text(layout.chunkByteCount) : "-",
        layout.layoutText ?? "-",
        layout.dataOffsets.map(AssumedLayout.text).joined(separator: ":"),
        "\(ByteSize(candidate.shape.byteCount))", names(candidate).joined(separator: " "),
      ])
    }
    var text = table.text(style)
    guard let best = result.candidates.first else { return text }
    text +=
      "\n" + style.strong(result.isDecided ? "Why the first:" : "What speaks for the first:") + "\n"
    for evidence in best.evidence where evidence.weight != 0 {
      text += "  \(evidence.weight > 0 ? "+" : "-") \(evidence.text)\n"
    }
    if best.equivalentCount > 0 { text += "  = other orders of the members read the same\n" }
    if let plain {
      text +=
        "\n"
        + style.strong("To read it, by superblocks, which also tell what is out of date or lost:")
        + "\n  \(plain)\n\n" + style.strong("By the layout alone:") + "\n  \(command(best))\n"
    } else {
      text += "\n" + style.strong("To read it:") + "\n  \(command(best))\n"
    }
    return text
  }

  /// What reads the array as it is.
  private var plain: String? {
    if standing.isEmpty { return nil }
    let some = standing.count == 1 ? standing + ["missing"] : standing
    let maps = Self.options(holes.filter { standing.contains($0.member) })
    return "ftool raid read\(maps) -o array.img " + some.map(Self.quoted).joined(separator: " ")
  }

  /// What a read is told of the members' maps.
  private static func options(_ holes: [HolesOption.Hole]) -> String {
    holes.map { " --holes " + quoted("\($0.member)=\($0.map)") }.joined()
  }

  /// What is to be known of members that contradict each other, although the layout is right; nil if none do.
  var disagreement: String? {
    guard let found = result.agreement, found.differingCount > 0, let best = result.candidates.first
    else { return nil }
    let places = "\(found.differingCount) of \(found.comparedCount) places that were compared"
    let who: String
    switch suspects.count {
    case 1: who = "by what the others say, \(suspects[0]) is out of date or damaged there"
    case 0, best.shape.slotCount:
      who = "one of them is out of date or damaged, and nothing says which"
    default: who = "one of \(suspects.joined(separator: ", ")) is out of date or damaged"
    }
    return
      "the members do not agree at \(places): \(who). Leave it out, with 'missing' in its place, and compare "
      + "what is read"
  }

  /// What is to be known of members that are read although they are out of date; nil if none are.
  var staleness: String? {
    let names = staleNames
    guard !names.isEmpty else { return nil }
    return
      "\(names.joined(separator: ", ")) missed what was written last, and what is read from there is old; where the "
      + "others can do without, say 'missing' in its place; 'ftool raid recover --force --dry-run' says what is lost"
  }

  private var staleNames: [String] {
    result.staleDevices.compactMap { members.indices.contains($0) ? members[$0] : nil }
  }

  /// Members of which one, or the only one, is wrong wherever they do not agree.
  private var suspects: [String] {
    guard let found = result.agreement, let best = result.candidates.first else { return [] }
    let all = names(best)
    return found.suspects.map { all[$0] }
  }

  var json: JSONValue {
    [
      "decided": .bool(result.isDecided),
      "candidates": .array(result.candidates.map(json)),
      "notes": .array(result.notes.map(JSONValue.string)),
      "advice": .array(result.advice.map(JSONValue.string)),
      "bytes_read": .number(result.byteCountRead),
      "compared_places": .number(result.agreement?.comparedCount ?? 0),
      "differing_places": .number(result.agreement?.differingCount ?? 0),
      "suspects": .array(suspects.map(JSONValue.string)), "by_superblocks": .string(plain),
      "stale": .array(staleNames.map(JSONValue.string)),
    ]
  }

  private func json(_ candidate: RecoveryCandidate) -> JSONValue {
    let layout = AssumedLayout(candidate)
    return [
      "confidence": .fraction(candidate.confidence),
      "score": .fraction((candidate.score * 10).rounded() / 10),
      "level": .string(layout.levelText), "layout": .string(layout.layoutText),
      "layout_number": .number(candidate.shape.layout),
      "chunk_bytes": .number(candidate.shape.chunkByteCount),
      "array_bytes": .number(candidate.shape.byteCount),
      "data_offsets": .array(candidate.dataOffsets.map { .number($0) }),
      "member_bytes": .array(candidate.shape.memberByteCounts.map { .number($0) }),
      "members": .array(names(candidate).map(JSONValue.string)),
      "evidence": .array(
        candidate.evidence.map { evidence in
          [
            "kind": .string(evidence.kind.rawValue),
            "weight": .fraction((evidence.weight * 10).rounded() / 10),
            "text": .string(evidence.text),
          ]
        }),
      "equivalent_orders": .bool(candidate.equivalentCount > 0),
      "assume": .string(layout.description), "command": .string(command(candidate)),
    ]
  }

  private func names(_ candidate: RecoveryCandidate) -> [String] {
    candidate.order.map { index in
      index.flatMap { members.indices.contains($0) ? members[$0] : nil } ?? "missing"
    }
  }

  private func command(_ candidate: RecoveryCandidate) -> String {
    let paths = names(candidate).map(Self.quoted).joined(separator: " ")
    let options = "--assume \(AssumedLayout(candidate))" + Self.options(holes)
    return "ftool raid read \(options) -o array.img \(paths)"
  }

  /// As a shell takes it.
  private static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2b...0x2f, 0x3a, 0x3d, 0x40, 0x5f: true
      default: false
      }
    }
    return isPlain
      ? text
      : "'"
        + text.split(separator: "'", omittingEmptySubsequences: false)
        .joined(separator: "'\\''") + "'"
  }

  private static func percent(_ share: Double) -> String {
    let tenths = Int((share * 1000).rounded())
    if tenths >= 999 { return ">99%" }
    return tenths % 10 == 0 || tenths >= 100 ? "\(tenths / 10)%" : "\(tenths / 10).\(tenths % 10)%"
  }
}
