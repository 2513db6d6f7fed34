import BinaryCodec
import LinuxSystem
import MDFormat
import Raid
import RaidGeometry

/// What `raid status` says of an array.
struct StatusReport: Report {
  private let status: ArrayStatus
  private let advice: [StatusAdvice]

  init(_ status: ArrayStatus, operand: ArrayOperand) {
    self.status = status
    // Commands to paste name what there is to work with.
    let unusable = Set(status.rows.compactMap { $0.state == .unusable ? $0.path : nil })
    let words = operand.array.filter { !unusable.contains($0) }.map(StatusAdvice.quoted)
    let folders = operand.scan.map { "--scan \(StatusAdvice.quoted($0))" }
    advice = StatusAdvice.all(status, operand: (words + folders).joined(separator: " "))
  }

  let type = "raid-status"

  // MARK: For people

  func text(_ style: TextStyle) -> String {
    var lines: [(String, String)] = [
      ("Array", status.name), ("UUID", status.reference.arrayID.description),
      ("Level", level),
      ("Size", status.byteCount.map { "\(ByteSize($0).exactDescription)" } ?? "unknown"),
      ("State", state(style)), ("Redundancy", redundancy(style)), ("Sums", sums(style)),
      ("Bitmap", bitmap), ("Journal", journal),
    ]
    if let counters = status.counters {
      lines.append(
        (
          "Last scrub",
          counters.lastScrubAt == 0
            ? "never: 'ftool raid scrub' reads and compares everything"
            : moment(counters.lastScrubAt)
        ))
      lines.append(("Errors", errors(counters, style)))
    }
    if let operation = status.operation {
      let word =
        operation.isRunning
        ? "runs" : style.warning(operation.done == 0 ? "has not begun" : "was interrupted")
      lines.append(("Progress", "a \(operation.name) \(word): \(operation.measures)"))
    }
    if !status.absentPaths.isEmpty {
      let missing = status.rows.count { $0.state == .missing }
      let some = status.absentPaths.count > missing ? "\(missing) of " : ""
      lines.append(("Not there", style.bad(some + status.absentPaths.joined(separator: ", "))))
    }
    if let reason = status.readOnlyReason { lines.append(("Writing", reason)) }
    if let use { lines.append(("In use", use)) }
    var text = lines.map { name, value in
      style.strong("\(name):") + String(repeating: " ", count: 12 - name.count) + value + "\n"
    }.joined()
    text += "\n" + table(style)
    let recent = status.recentEvents
    if !recent.isEmpty {
      text += "\n\(style.strong("Lately:")) ('ftool raid events' shows all)\n"
      for event in recent {
        text += "  \(event.time.rfc3339)  \(EventSentence(event).text)\n"
      }
    }
    if !advice.isEmpty {
      text += "\n\(style.strong("What to do:"))\n"
      for item in advice {
        text += item.command.map { "  \(item.reason):\n    \($0)\n" } ?? "  \(item.reason)\n"
      }
    }
    return text
  }

  private var level: String {
    let reference = status.reference
    let name =
      RaidLevel(number: reference.level, layout: reference.layout)?
      .name(slotCount: Int(reference.slotCount))
    var parts = [name ?? "level \(reference.level), which ftool does not know"]
    if let layout { parts.append(layout) }
    parts.append("\(reference.slotCount) members")
    if reference.chunkSectors > 0 {
      parts.append("chunks of \(ByteSize(Int(reference.chunkSectors) * 512))")
    }
    parts.append("metadata \(reference.version.rawValue)")
    return parts.joined(separator: ", ")
  }

  private var layout: String? {
    guard let shape = status.shape else { return nil }
    switch shape.level {
    case .singleParity, .doubleParity: return ParityRotation(rawValue: shape.layout)?.name
    case .mirroredStripes:
      let (near, far) = (shape.layout & 0xff, shape.layout >> 8 & 0xff)
      if far <= 1 { return "near=\(near)" }
      let kind = shape.layout & 0x10000 != 0 ? "offset" : "far"
      return near > 1 ? "near=\(near) \(kind)=\(far)" : "\(kind)=\(far)"
    case .linear, .striped, .mirrored, .dedicatedParity, .erasureCoded: return nil
    }
  }

  private func state(_ style: TextStyle) -> String {
    switch status.condition {
    case .healthy: return style.good("healthy") + writing
    case .inDoubt:
      return style.warning("in doubt")
        + ": it was not closed properly, and what was being written then may not agree with its parity or "
        + "copies; everything else is as it was"
    case .degraded: return style.warning("degraded") + completeness + writing
    case .rebuilding: return style.warning("being rebuilt") + completeness + writing
    case .incomplete:
      return style.bad("incomplete")
        + ": parts of the data are on none of the members that are there; all other parts can be read"
    case .damaged:
      guard status.lostByteCount > 0 else {
        return style.bad("damaged")
          + ": the last scrub left blocks that it could not put right; all others are good"
      }
      return style.bad("damaged")
        + ": \(ByteSize(status.lostByteCount)) are lost, as members' lists of bad blocks say; every other byte is "
        + "still there" + writing
    case .notStartable:
      return style.bad("cannot be started") + ": \(status.obstacle?.message ?? "too few members")"
        + "; what is on the members that are there is as it was"
    }
  }

  private var writing: String { status.use.isWritten ? ", being written" : "" }

  /// What is there of the data while members are missing.
  private var completeness: String {
    status.isUnclean
      ? "; it was not closed properly: what was being written then is in doubt, every other byte is still "
        + "there" : ", every byte is still there"
  }

  private func redundancy(_ style: TextStyle) -> String {
    guard let left = status.lossesLeft, let shape = status.shape else {
      return style.bad(
        status.degradedSlots.isEmpty
          ? "not known while it cannot be started" : "used up: more is lost than it can bear")
    }
    if shape.redundancy == 0 { return "none at this level: every member is needed" }
    if left <= 0 {
      let until =
        status.condition == .rebuilding
        ? " until the \(status.operation?.name ?? "rebuild") ends" : ""
      return style.bad("none left\(until): the loss of one more member may lose data")
    }
    return "survives the loss of \(left)\(status.degradedSlots.isEmpty ? "" : " more") "
      + (left == 1 ? "member" : "members")
  }

  private func sums(_ style: TextStyle) -> String {
    let word =
      switch status.sums {
      case .valid: style.good("sums are valid")
      case .stale: style.warning("sums are stale")
      case .none: "no sums are kept"
      }
    return word + (status.sumsRemark.map { ": \($0)" } ?? "")
  }

  private var bitmap: String {
    let kind = status.reference.features.contains(.bitmap) ? "internal" : "none"
    guard let marks = status.marks else { return kind }
    let record = marks.isOurs ? "none of md's; ftool's own record" : "internal"
    guard marks.markedByteCount > 0 else { return "\(record), nothing marked" }
    let permille = max(1, Int(Double(marks.markedByteCount) / Double(marks.byteCount) * 1000))
    return
      "\(record), \(permille / 10).\(permille % 10) % marked: \(ByteSize(marks.markedByteCount)) "
      + "of \(ByteSize(marks.byteCount)) in parts of \(ByteSize(marks.granularity))"
  }

  private var journal: String {
    guard status.isJournaled else { return "none" }
    return status.hasJournalToReplay
      ? "internal; it was cut off while it was written, and the next command that writes puts all in its place"
      : "internal"
  }

  private func errors(_ counters: IntegrityCounters, _ style: TextStyle) -> String {
    let found = counters.damagedBlocks &+ counters.unreadableBlocks
    guard found > 0 || counters.unrepairedBlocks > 0 else { return "none" }
    var parts = [
      counted(counters.damagedBlocks, "block") + " damaged",
      "\(counters.unreadableBlocks) unreadable",
      "\(counters.repairedBlocks) repaired",
    ]
    if counters.unrepairedBlocks > 0 {
      parts.append(style.bad("\(counters.unrepairedBlocks) left by the last scrub"))
    }
    return parts.joined(separator: ", ")
  }

  private var use: String? {
    var parts: [String] = []
    if status.use.isWritten { parts.append("a running ftool writes to it") }
    if status.use.isRead { parts.append("a running ftool reads it") }
    if let kernel = status.use.byKernel { parts.append(kernel) }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }

  private func table(_ style: TextStyle) -> String {
    let counted = status.rows.contains { $0.counters != nil }
    var table = TextTable(
      ["SLOT", "MEMBER", "STATE"] + (counted ? ["DAMAGED", "UNREADABLE", "REPAIRED"] : []),
      alignments: [.trailing, .leading, .leading, .trailing, .trailing, .trailing])
    for row in status.rows {
      let state =
        switch row.state {
        case .inSync, .spare, .journal, .replaced: row.sentence
        case .rebuilding, .replacing: style.warning(row.sentence)
        case .failed, .stale, .split, .duplicate, .missing, .unusable: style.bad(row.sentence)
        }
      var cells = [row.slot.map(String.init) ?? "-", row.path ?? "-", state]
      if counted {
        cells += [
          \IntegrityCounters.damagedBlocks, \.unreadableBlocks, \.repairedBlocks,
        ].map { path in row.counters.map { "\($0[keyPath: path])" } ?? "-" }
      }
      table.append(cells)
    }
    return table.text(style)
  }

  private func moment(_ seconds: UInt64) -> String {
    let now = Machine.now().seconds
    let time = UTCTime(secondsSinceEpoch: Int64(clamping: seconds)).rfc3339
    guard now > seconds else { return time }
    return "\(time), \(durationText(.seconds(Int64(clamping: now - seconds)))) ago"
  }

  // MARK: For scripts

  var json: JSONValue {
    let reference = status.reference
    return .object([
      .init("array", .string(status.name)), .init("uuid", .string(reference.arrayID.description)),
      .init("state", .string(status.condition.rawValue)),
      .init("startable", .bool(status.obstacle == nil)),
      .init("reason", .string(status.obstacle?.message)),
      .init("read_only_reason", .string(status.readOnlyReason)),
      .init("level", .string(status.shape?.levelName)), .init("layout", .string(layout)),
      .init("metadata", .string(reference.version.rawValue)),
      .init("bytes", .number(status.byteCount)),
      .init("chunk_bytes", .number(Int(reference.chunkSectors) * 512)),
      .init("slots", .number(reference.slotCount)),
      .init("clean", .bool(!status.isUnclean)),
      .init("degraded_slots", .array(status.degradedSlots.map { .number($0) })),
      .init("losses_left", .number(status.lossesLeft)),
      .init("events", .number(reference.events)),
      .init("created", time(reference.creationSeconds)),
      .init("updated", time(reference.updateSeconds)),
      .init("sums", .string(status.sums.rawValue)),
      .init("bitmap", .string(reference.features.contains(.bitmap) ? "internal" : "none")),
      .init("journal", .string(status.isJournaled ? "internal" : "none")),
      .init("journal_to_replay", .bool(status.hasJournalToReplay)),
      .init("marked_bytes", .number(status.marks?.markedByteCount)),
      .init("markable_bytes", .number(status.marks?.byteCount)),
      .init("last_scrub", status.counters.map { time($0.lastScrubAt) } ?? .null),
      .init("damaged_blocks", .number(status.counters?.damagedBlocks)),
      .init("unreadable_blocks", .number(status.counters?.unreadableBlocks)),
      .init("repaired_blocks", .number(status.counters?.repairedBlocks)),
      .init("renewed_sums", .number(status.counters?.renewedSums)),
      .init("unrepaired_blocks", .number(status.counters?.unrepairedBlocks)),
      .init(
        "in_use",
        [
          "writing": .bool(status.use.isWritten), "reading": .bool(status.use.isRead),
          "kernel": .string(status.use.byKernel),
        ]),
      .init("operation", status.operation.map(operation) ?? .null),
      .init("members", .array(status.rows.map(member))),
      .init("lost_bytes", .number(status.lostByteCount)),
      .init("absent_paths", .array(status.absentPaths.map { .string($0) })),
      .init("recent_events", .array(status.recentEvents.map(\.json))),
      .init(
        "advice",
        .array(
          advice.map { ["reason": .string($0.reason), "command": .string($0.command)] })),
    ])
  }

  private func time(_ seconds: UInt64) -> JSONValue {
    seconds == 0 ? .null : .time(UTCTime(secondsSinceEpoch: Int64(clamping: seconds)))
  }

  private func operation(_ operation: ArrayStatus.Operation) -> JSONValue {
    [
      "name": .string(operation.name),
      "phase": .string(operation.isRunning ? "running" : "interrupted"),
      "done_bytes": .number(operation.done), "total_bytes": .number(operation.total),
      "started": operation.startedAt.map(time) ?? .null,
      "updated": operation.updatedAt.map(time) ?? .null,
      "bytes_per_second": .number(operation.rate),
      "seconds_left": .number(operation.secondsLeft),
    ]
  }

  private func member(_ row: ArrayStatus.Row) -> JSONValue {
    [
      "slot": .number(row.slot), "path": .string(row.path), "uuid": .string(row.id?.description),
      "state": .string(row.state.rawValue), "detail": .string(row.sentence),
      "events": .number(row.superblock?.events),
      "valid_bytes": .number(row.validByteCount),
      "damaged_blocks": .number(row.counters?.damagedBlocks),
      "unreadable_blocks": .number(row.counters?.unreadableBlocks),
      "repaired_blocks": .number(row.counters?.repairedBlocks),
      "renewed_sums": .number(row.counters?.renewedSums),
      "bad_blocks": row.badBlocks.map { ranges in
        .array(
          ranges.map { ["member_offset": .number($0.lowerBound), "bytes": .number($0.count)] })
      } ?? .null,
    ]
  }
}
