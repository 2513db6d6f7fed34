import Raid
import RaidGeometry

/// What to do about an array that is not as it should be: a reason, and a command to paste.
struct StatusAdvice: Equatable, Sendable {
  var reason: String
  var command: String?

  /// Everything there is to do, the most urgent first. `operand` is how the user names the array.
  static func all(_ status: ArrayStatus, operand: String) -> [StatusAdvice] {
    if status.operation?.isRunning == true {
      return [.init(reason: "to wait for its end", command: "ftool raid wait \(operand)")]
    }
    if status.obstacle != nil || status.condition == .incomplete {
      return start(status, hint: status.obstacle?.hint, operand)
    }
    let degraded = status.slotsNotGiven.isEmpty ? "" : " --degraded"
    if status.operation?.name == "reshape" {
      let isShort = status.rows.contains {
        $0.state == .missing || $0.state == .stale || $0.state == .failed || $0.state == .unusable
      }
      guard isShort else {
        return [.init(reason: "to go on with the reshape", command: "ftool raid grow \(operand)")]
      }
      return [
        .init(
          reason: "to look for the missing members in another folder",
          command: "ftool raid status \(operand) --scan DIR"),
        .init(
          reason: "to go on with the reshape without them",
          command: "ftool raid grow \(operand) --degraded"),
      ]
    }
    var advice = losses(status, operand) + missing(status, operand)
    // What a crash has left and a missing member has cannot be decided, so that nothing writes unasked.
    let isUndecided =
      status.isUnclean && !status.degradedSlots.isEmpty
      && status.shape.map { $0.level.parityCount > 0 } == true
    if isUndecided {
      for index in advice.indices {
        advice[index].reason +=
          ", taking what the others say where something was being written when it was left"
        advice[index].command? += " --force"
      }
    } else if status.isUnclean {
      advice.append(
        .init(
          reason: "to settle what was being written when it was left",
          command: "ftool raid scrub \(operand)\(degraded)"))
    } else if status.operation?.name == "scrub" || status.operation?.name == "resync" {
      advice.append(
        .init(
          reason: "to go on with the scrub", command: "ftool raid scrub \(operand)\(degraded)"))
    } else if status.sums == .stale {
      advice.append(
        .init(
          reason: "to compare everything and renew the checksums",
          command: "ftool raid scrub \(operand)\(degraded)"))
    } else if !status.membersLackingSums.isEmpty {
      let names = status.membersLackingSums.joined(separator: ", ")
      advice.append(
        .init(
          reason:
            "to compare what \(names) holds, which nothing vouches for, and give it checksums again",
          command: "ftool raid scrub \(operand)\(degraded)"))
    }
    if let blocks = status.counters?.unrepairedBlocks, blocks > 0 {
      advice.append(
        .init(
          reason: counted(blocks, "block")
            + " could not be put right by the last scrub; to see which",
          command: "ftool raid scrub \(operand) --repair never"))
      if status.lostByteCount == 0 {
        advice.append(
          .init(
            reason:
              "to get out all that is whole, with a map of what of the array is lost: what is written "
              + "again, from a backup, is good again",
            command: "ftool raid read \(operand) --salvage -o FILE"))
      }
    }
    return advice
  }

  private static func start(
    _ status: ArrayStatus, hint: String?, _ operand: String
  ) -> [StatusAdvice] {
    let isMissing = status.rows.contains { $0.state == .missing || $0.state == .unusable }
    var advice: [StatusAdvice] = []
    if isMissing {
      advice.append(
        .init(
          reason: "to look for the missing members in another folder",
          command: "ftool raid status \(operand) --scan DIR"))
      advice.append(
        .init(
          reason: "if a member is there and its superblock is gone",
          command: "ftool raid recover MEMBER..."))
    }
    let old = status.rows.filter { $0.state == .stale || $0.state == .failed || $0.state == .split }
      .compactMap(\.path)
    if !old.isEmpty {
      advice.append(
        .init(
          reason:
            "to see whether \(old.joined(separator: ", ")) can be taken back, and what would be lost",
          command: "ftool raid recover --force --dry-run \(operand)"))
    }
    advice += goneAlone(status, operand).prefix(1)
    if isMissing || !old.isEmpty {
      advice.append(
        .init(
          reason: "to get out everything that is still whole, without changing a member",
          command: "ftool raid read \(operand) --salvage -o FILE"))
    } else if let hint {
      advice.append(.init(reason: hint))
    }
    if !old.isEmpty {
      advice.append(
        .init(
          reason:
            "to take what \(old.joined(separator: ", ")) held when the others went on without it, too",
          command: "ftool raid read \(operand) --salvage --force -o FILE"))
    }
    advice.append(
      .init(
        reason:
          "until all is safe, do not make another array, a filesystem or a partition on any of "
          + "these members, and copy disks that make errors before anything else"))
    return advice
  }

  /// What to do first where blocks are lost: old members may be the last to have them.
  private static func losses(_ status: ArrayStatus, _ operand: String) -> [StatusAdvice] {
    guard status.lostByteCount > 0 else { return [] }
    let old = formerPaths(status)
    let names = old.joined(separator: ", ")
    return [
      .init(
        reason: old.isEmpty
          ? "to get out all that is not lost, with a map of what is: what is written again, from a backup, is good "
            + "again"
          : "to get out all that is not lost, and what \(names) may still have of the rest, with a map of which is "
            + "which, before anything is written to \(names)",
        command: "ftool raid read \(operand) --salvage\(old.isEmpty ? "" : " --force") -o FILE")
    ]
  }

  /// Members that the array went on without.
  private static func formerPaths(_ status: ArrayStatus) -> [String] {
    status.rows.filter { $0.state == .stale || $0.state == .failed || $0.state == .replaced }
      .compactMap(\.path)
  }

  /// How to fill the slots that nobody in sync has.
  private static func missing(_ status: ArrayStatus, _ operand: String) -> [StatusAdvice] {
    let slots = status.degradedSlots
    // What a command takes that fills what is there, and one that names whom it fills.
    let isShort = !status.slotsNotGiven.isEmpty && !status.areNotGivenAllLeft
    let degraded = isShort ? " --degraded" : ""
    let degradedNaming = isShort && status.slotsNotGiven.count > 1 ? " --degraded" : ""
    guard let shape = status.shape, shape.redundancy > 0 else { return [] }
    if status.rows.contains(where: { $0.state == .rebuilding || $0.state == .replacing }) {
      let row = status.rows.first { $0.state == .rebuilding || $0.state == .replacing }
      if row?.state == .replacing, let path = row?.path,
        let old = status.rows.first(where: { $0.slot == row?.slot && $0.state == .inSync })?.path
      {
        return [
          .init(
            reason: "to go on replacing \(old)",
            command:
              "ftool raid replace \(operand) --member \(quoted(old)) --onto \(quoted(path))"
              + (status.slotsNotGiven.isEmpty ? "" : " --degraded"))
        ]
      }
      return [
        .init(reason: "to go on rebuilding", command: "ftool raid rebuild \(operand)\(degraded)")
      ]
    }
    guard !slots.isEmpty else { return [] }
    // What old members may be the last to have is given up only by who says so.
    let former = status.lostByteCount > 0 ? formerPaths(status) : []
    let force = former.isEmpty ? "" : " --force"
    let price =
      former.isEmpty
      ? "" : ", giving up what \(former.joined(separator: ", ")) may still have of what is lost"
    let absent = status.rows.count { $0.state == .missing }
    if status.rows.contains(where: { $0.state == .spare }) {
      return [
        .init(
          reason: "to put the spare in the empty place" + price,
          command: "ftool raid rebuild \(operand)\(degraded)\(force)")
      ]
    }
    var advice = goneAlone(status, operand)
    for row in status.rows where row.state == .stale || row.state == .failed {
      guard let path = row.path, let slot = row.slot, slots.contains(slot) else { continue }
      advice.append(
        .init(
          reason: "to bring \(path) up to date, if it is sound" + price,
          command: "ftool raid rebuild \(operand) --member \(quoted(path))\(degradedNaming)\(force)"
        ))
    }
    let forbidden = status.rows.filter(\.isForbidden).compactMap(\.path)
    if absent > 0, !forbidden.isEmpty {
      advice.append(
        .init(
          reason:
            "to see who may open \(forbidden.joined(separator: ", ")), which may be all that is missing",
          command: "ls -l \(forbidden.map(quoted).joined(separator: " "))"))
    }
    if absent > forbidden.count {
      advice.append(
        .init(
          reason: "to put a new file or disk, as large as the others, in the empty place",
          command: "ftool raid rebuild \(operand) --onto NEW\(degradedNaming)"))
    }
    return advice
  }

  /// What to do about members that were used without the others, and these without them.
  private static func goneAlone(_ status: ArrayStatus, _ operand: String) -> [StatusAdvice] {
    let paths = status.rows.filter { $0.state == .split }.compactMap(\.path).map(quoted)
    guard let first = paths.first else { return [] }
    let side = paths.joined(separator: " ") + (paths.count == 1 ? " missing" : "")
    let names = paths.joined(separator: ", ")
    let degraded = paths.count > 1 ? " --degraded" : ""
    return [
      .init(
        reason:
          "both sides may have been written; only one can be kept. To read what is on \(names), which may be "
          + "nowhere else",
        command: "ftool raid read \(side) -o FILE"),
      .init(
        reason: "to give up what is on \(names), and bring it up to date from the others",
        command: "ftool raid rebuild \(operand) --member \(first) --force\(degraded)"),
    ]
  }

  /// A path as a shell takes it.
  static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "@"),
        UInt8(ascii: "+"), UInt8(ascii: "="), UInt8(ascii: ","):
        true
      default: false
      }
    }
    if isPlain, !text.isEmpty { return text }
    return "'"
      + text.split(separator: "'", omittingEmptySubsequences: false)
      .joined(separator: "'\\''") + "'"
  }
}
