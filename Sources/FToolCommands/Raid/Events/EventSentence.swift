import BinaryCodec
import Raid
import SystemPackage

/// An event in words.
struct EventSentence {
  private let event: ArrayEvent

  init(_ event: ArrayEvent) { self.event = event }

  /// The kind's word for scripts; nil for one that a later version knows.
  var word: String? {
    switch event.kind {
    case .created: "created"
    case .openedUnclean: "opened-unclean"
    case .started: "started"
    case .finished: "finished"
    case .interrupted: "interrupted"
    case .memberFailed: "member-failed"
    case .memberAdded: "member-added"
    case .memberRemoved: "member-removed"
    case .memberReplaced: "member-replaced"
    case .blocksRepaired: "blocks-repaired"
    case .foreignWrite: "foreign-write"
    case .forcedWrite: "forced-write"
    case .journalReplayed: "journal-replayed"
    case .regionsRenewed: "regions-renewed"
    default: nil
    }
  }

  /// Whether it is one that somebody should know who looks at the array's state.
  var matters: Bool {
    switch event.kind {
    case .created, .started: false
    case .finished:
      event.counts.third > 0 || event.counts.fourth > 0 || isRecovery || operation == "reshape"
    default: true
    }
  }

  /// Whether something went wrong.
  var isBad: Bool {
    switch event.kind {
    case .memberFailed, .openedUnclean, .foreignWrite, .forcedWrite, .interrupted: true
    case .finished: event.counts.fourth > 0
    default: false
    }
  }

  private var isRecovery: Bool {
    let operation = MaintenanceProgress.Operation(rawValue: event.cause)
    return operation == .rebuild || operation == .replace
  }

  /// The name of the operation, of an event that is about one.
  var operation: String? {
    switch event.kind {
    case .started, .finished, .interrupted:
      MaintenanceProgress.Operation(rawValue: event.cause).map { "\($0)" } ?? "operation"
    default: nil
    }
  }

  /// `b.img in slot 1`
  private var member: String {
    var name = Self.printable(event.memberName)
    if name.isEmpty { name = event.memberID == .zero ? "a member" : "member \(event.memberID)" }
    return event.slot.map { "\(name) in slot \($0)" } ?? name
  }

  /// A name may have been anything; what would move the cursor is not shown.
  private static func printable(_ name: String) -> String {
    String(
      String.UnicodeScalarView(
        name.unicodeScalars.map { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) ? "?" : $0 }))
  }

  var text: String {
    let counts = event.counts
    switch event.kind {
    case .created: return "the array was made: \(counts.first) members, \(size(counts.second))"
    case .openedUnclean:
      return
        "it was not closed properly before: \(size(counts.first)) of \(size(counts.second)) in doubt"
    case .started:
      return "\(subject) began" + (counts.first > 0 ? " at \(size(counts.first))" : "")
    case .finished: return "\(subject) finished\(findings)"
    case .interrupted:
      return
        "\(subject) was interrupted after \(size(counts.first)) of \(size(counts.second))\(findings)"
    case .memberFailed: return "\(member) failed: \(failure)"
    case .memberAdded: return "\(member) \(arrival)"
    case .memberRemoved: return "\(member) was removed"
    case .memberReplaced: return "\(member) is in use now, in the place of the one before"
    case .blocksRepaired: return "\(blocks(counts.first)) of \(member) were put right"
    case .foreignWrite: return "another system had written to the array; its sums are not believed"
    case .forcedWrite: return forced
    case .journalReplayed:
      return "the journal was written out: \(counts.first) records, \(size(counts.second))"
    case .regionsRenewed: return "\(member) had no checksums, and keeps them again"
    default: return "event of kind \(event.kind.rawValue), which this ftool does not know"
    }
  }

  private var subject: String {
    if operation == "replace" { return "copying to \(member), which is to replace the one there," }
    let name = operation ?? "operation"
    return event.memberID == .zero ? "a \(name)" : "the \(name) of \(member)"
  }

  /// `: 3 blocks repaired, 1 block left`
  private var findings: String {
    var parts: [String] = []
    if event.counts.third > 0 { parts.append("\(blocks(event.counts.third)) repaired") }
    if event.counts.fourth > 0 {
      parts.append("\(blocks(event.counts.fourth)) \(isRecovery ? "lost" : "left")")
    }
    return parts.isEmpty ? "" : ": " + parts.joined(separator: ", ")
  }

  private var failure: String {
    let errno = event.counts.first
    let reason =
      errno == 0 || errno > 4095 ? "" : " (\(Errno(rawValue: CInt(truncatingIfNeeded: errno))))"
    let place = "byte \(event.counts.second)"
    return switch ArrayEvent.FailureCause(rawValue: event.cause) {
    case .unreadable: "\(place) cannot be read\(reason)"
    case .unwritable: "\(place) cannot be written\(reason)"
    case .full: "there was no room at \(place)"
    case .flushFailed: "it could not put what was written on stable storage\(reason)"
    case .gone: "it is gone\(reason)"
    case .truncated: "it ended at \(place)"
    case .declared: "it was declared failed"
    case nil: "the reason is not known"
    }
  }

  private var arrival: String {
    switch ArrayEvent.ArrivalCause(rawValue: event.cause) {
    case .rebuild, nil: "was added, to be rebuilt"
    case .replacement: "was added, to replace the one there"
    case .spare: "was added as a spare"
    case .promotion: "was a spare, and is to be rebuilt"
    case .returned: "came back, and lacks only what was written meanwhile"
    case .forced:
      "was out of date, and was taken back by 'recover --force'"
        + (event.counts.first > 0 ? ": \(size(event.counts.first)) of it are lost" : "")
    }
  }

  private var forced: String {
    let slot = event.slot.map { "slot \($0)" } ?? "a slot"
    let more = event.counts.first > 1 ? " and \(event.counts.first - 1) more" : ""
    return switch ArrayEvent.ForcedCause(rawValue: event.cause) {
    case .inDoubt:
      "it was written although a crash had left doubt and \(slot)\(more) lacked its member"
    case .calledClean:
      "it was started by 'recover --force' although a crash had left \(size(event.counts.second)) in doubt "
        + "and \(slot)\(more) lacked its member"
    case .degraded, nil: "it was written without the member of \(slot)\(more), by --degraded"
    }
  }

  private func size(_ byteCount: UInt64) -> String {
    ByteSize(Int(clamping: byteCount)).description
  }
  private func blocks(_ count: UInt64) -> String { counted(count, "block") }
}

extension ArrayEvent {
  /// When it was.
  var time: UTCTime {
    UTCTime(secondsSinceEpoch: Int64(clamping: min(seconds, 1 << 40)))
  }

  /// The event for scripts.
  var json: JSONValue {
    let sentence = EventSentence(self)
    return [
      "sequence": .number(sequence), "time": .time(time),
      "kind": .string(sentence.word), "kind_number": .number(kind.rawValue),
      "operation": .string(sentence.operation), "cause": .number(cause), "slot": .number(slot),
      "member": memberName.isEmpty ? .null : .string(memberName),
      "uuid": memberID == .zero ? .null : .string(memberID.description),
      "counts": .array(
        [counts.first, counts.second, counts.third, counts.fourth].map { .number($0) }),
      "text": .string(sentence.text),
    ]
  }
}
