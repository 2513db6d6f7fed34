import BinaryCodec
import MDFormat
import Raid
import RaidGeometry

/// What `raid recover --force` is about to do, or has done: each member with the reason, and the price.
struct ForcedStartReport: Report {
  enum State: Equatable {
    case planned
    case carriedOut
  }

  private let plan: ForcedStart
  private let state: State
  private let isDryRun: Bool
  private static let rangeLimit = 16

  init(_ plan: ForcedStart, state: State, isDryRun: Bool) {
    self.plan = plan
    self.state = state
    self.isDryRun = isDryRun
  }

  var type: String { state == .planned ? "raid-recover-force-plan" : "raid-recover-force" }

  private var assembly: Assembly { plan.assembly }
  private func name(_ index: Int) -> String { assembly.members[index].name }

  /// Completes "about to".
  var question: String {
    let names = plan.returning.map { name($0.index) }.joined(separator: ", ")
    let parts = [
      plan.isUnderWay ? "end what was cut off" : nil,
      names.isEmpty ? nil : "take back \(names)",
      plan.endsDoubt ? "call the array clean" : nil,
      plan.lost.isEmpty
        ? nil
        : "give up \(ByteSize(plan.lost.byteCount).exactDescription) of the array for lost",
    ]
    return parts.compactMap(\.self).joined(separator: " and ")
  }

  // MARK: Text

  func text(_ style: TextStyle) -> String {
    if state == .carriedOut { return doneText }
    var table = TextTable(
      ["MEMBER", "SLOT", "EVENTS", "LAST UPDATE", "BECOMES"],
      alignments: [.leading, .trailing, .trailing])
    for index in assembly.members.indices {
      let superblock = assembly.members[index].superblock
      table.append([
        name(index), slotText(index), "\(superblock.events)",
        UTCTime(secondsSinceEpoch: Int64(clamping: superblock.updateSeconds)).rfc3339,
        becomes(index),
      ])
    }
    var text = table.text(style)
    for one in plan.returning {
      text += "\n\(style.strong(name(one.index)))\(sentence(one.evidence))"
    }
    for (index, reason) in plan.refused {
      text += "\n\(style.strong(name(index)))\(sentence(reason))"
    }
    if !plan.returning.isEmpty || !plan.refused.isEmpty { text += "\n" }
    return text + priceText(style)
  }

  private func priceText(_ style: TextStyle) -> String {
    switch plan.verdict {
    case .startsAlready:
      return "\nThe array starts as it is: there is nothing to force.\n"
        + (plan.keepsLogs && !assembly.reference.isClean
          ? "What is torn is mended by its partial parity logs when it is opened.\n" : "")
    case .impossible: return ""
    case .possible: break
    }
    var text = ""
    text += list("Lost", plan.lost, "no current member has them, and nothing computes them", style)
    text += list(
      "In doubt", plan.doubtful,
      "they are computed from what was being written when the array was left, and may be wrong",
      style)
    if !plan.doubtful.isEmpty {
      text +=
        "  What 'ftool raid read --salvage -o FILE' reads before is free of them, and its map says where they are.\n"
    }
    if plan.lost.isEmpty, plan.doubtful.isEmpty {
      text += "\nNothing is lost, and nothing in doubt.\n"
    }
    if plan.keepsLogs, !isClean {
      text += "\nWhat is torn is mended by the partial parity logs when the array is opened.\n"
    }
    if !plan.emptySlots.isEmpty {
      text +=
        "\nEmpty afterwards: \(slots(plan.emptySlots)). The array can lose no more: copy what matters, then "
        + "'ftool raid rebuild'.\n"
    }
    return text
  }

  private func list(_ title: String, _ extent: ArrayExtent, _ why: String, _ style: TextStyle)
    -> String
  {
    if extent.isEmpty { return "" }
    var text =
      "\n\(style.strong("\(title):")) \(ByteSize(extent.byteCount).exactDescription) of the array: \(why)\n"
    for range in extent.ranges.prefix(Self.rangeLimit) {
      text += "  bytes \(range.lowerBound) to \(range.upperBound)\n"
    }
    let rest = extent.rangeCount - min(extent.ranges.count, Self.rangeLimit)
    if rest > 0 {
      text += "  and \(rest) more ranges behind them; --json lists up to \(ArrayExtent.listLimit)\n"
    }
    return text
  }

  private var doneText: String {
    var text = plan.returning.map { "took back \(name($0.index)) in slot \($0.slot)\n" }.joined()
    if plan.endsDoubt { text += "called the array clean\n" }
    if !plan.lost.isEmpty {
      text += "\(ByteSize(plan.lost.byteCount).exactDescription) of the array are lost\n"
    }
    return text
  }

  private var isClean: Bool {
    assembly.reference.isClean
      && plan.returning.allSatisfy { assembly.members[$0.index].superblock.isClean }
  }

  private func slots(_ slots: [Int]) -> String {
    (slots.count == 1 ? "slot " : "slots ") + slots.map(String.init).joined(separator: ", ")
  }

  private func slotText(_ index: Int) -> String {
    switch assembly.standings[index] {
    case .active(let slot), .rebuilding(let slot, _), .replacement(let slot, _), .former(let slot):
      return "\(slot)"
    case .spare, .journal: return "-"
    case .failed, .stale, .split, .duplicate, .unusable:
      if case .slot(let slot) = assembly.members[index].superblock.role { return "\(slot)" }
      return "-"
    }
  }

  private func becomes(_ index: Int) -> String {
    if let one = plan.returning.first(where: { $0.index == index }) {
      return one.lostByteCount == 0
        ? "current again" : "current again, without \(ByteSize(one.lostByteCount))"
    }
    let standing = assembly.standings[index]
    return standing.isUsed ? "stays \(standing.sentence)" : "stays out: \(standing.sentence)"
  }

  private func sentence(_ evidence: StaleEvidence) -> String {
    switch evidence {
    case .nothingWrittenSince(let empty):
      return
        " has all that was written: when it left, \(slots(empty)) \(empty.count == 1 ? "was" : "were") empty, "
        + "which is more than the array can do without, so that nobody wrote to it since"
    case .marked(let byteCount):
      guard byteCount > 0 else {
        return " has all that was written: the bitmap of the others marks nothing since it left"
      }
      return
        " has all but what the bitmap of the others marks as written since it left: "
        + "\(ByteSize(byteCount)) of it go on its list of bad blocks"
    }
  }

  private func sentence(_ reason: StaleRefusal) -> String {
    switch reason {
    case .notNeeded:
      return plan.verdict == .impossible
        ? " alone is not enough" : " is not needed; 'ftool raid rebuild' brings it up to date"
    case .noBitmap:
      return
        " may lack anything: the array could be written after it left, and no bitmap says where it was"
    case .leftBeforeBitmap(let since):
      return
        " may lack anything: the bitmap tells what was written since event \(since), and it left before"
    case .wentItsOwnWay(let other):
      return
        " may have been written on its own"
        + (other.map { ": it calls \($0) failed" } ?? "")
        + "; only one side can be kept, and 'ftool raid read' reads the other one where no member of this one "
        + "is given"
    case .olderCopy(let eventsBehind):
      return
        " may lack anything: the others count on it, and are \(eventsBehind) events ahead, so that this is an "
        + "older copy of that member; look for the one that they were used with last"
    case .writtenByOthers:
      return
        " may lack anything: another system wrote to the array, and does not keep the marks of ftool"
    case .numberIsTaken: return " cannot come back: another member has its number by now"
    case .otherShape: return " cannot come back: its superblock tells of another shape of the array"
    case .unfinished: return " never had all of its data: it was being filled when it left"
    case .slotIsBeingRebuilt: return " cannot come back: another member is being filled in its slot"
    case .noRoomForLosses(let byteCount):
      return
        " lacks \(ByteSize(byteCount)), for which its list of bad blocks has no room: they would be read as if "
        + "they were current"
    case .badBlocksUnknown: return " cannot be used: its list of bad blocks cannot be read"
    }
  }

  // MARK: JSON

  var json: JSONValue {
    [
      "array": .string(assembly.reference.name),
      "uuid": .string(assembly.reference.arrayID.description),
      "verdict": .string(verdictWord), "dry_run": .bool(isDryRun),
      "changed": .bool(state == .carriedOut),
      "members": .array(assembly.members.indices.map(memberJSON)),
      "empty_slots": .array(plan.emptySlots.map { .number($0) }),
      "lost_bytes": .number(plan.lost.byteCount), "lost": json(plan.lost),
      "doubtful_bytes": .number(plan.doubtful.byteCount), "doubtful": json(plan.doubtful),
      "calls_clean": .bool(plan.endsDoubt), "keeps_logs": .bool(plan.keepsLogs),
    ]
  }

  private var verdictWord: String {
    switch plan.verdict {
    case .startsAlready: "starts-already"
    case .possible: "possible"
    case .impossible: "impossible"
    }
  }

  private func json(_ extent: ArrayExtent) -> JSONValue {
    .array(
      extent.ranges.map {
        ["offset": .number($0.lowerBound), "bytes": .number($0.count)]
      })
  }

  private func memberJSON(_ index: Int) -> JSONValue {
    let superblock = assembly.members[index].superblock
    let back = plan.returning.first { $0.index == index }
    let refusal = plan.refused.first { $0.index == index }
    return [
      "path": .string(name(index)), "slot": Int(slotText(index)).map { .number($0) } ?? .null,
      "events": .number(superblock.events),
      "updated": .time(UTCTime(secondsSinceEpoch: Int64(clamping: superblock.updateSeconds))),
      "used": .bool(assembly.standings[index].isUsed), "taken_back": .bool(back != nil),
      "lost_bytes": .number(back?.lostByteCount ?? 0),
      "reason": .string(
        back.map { name(index) + sentence($0.evidence) }
          ?? refusal.map { name(index) + sentence($0.reason) }),
    ]
  }
}
