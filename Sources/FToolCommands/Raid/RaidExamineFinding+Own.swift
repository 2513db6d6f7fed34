import BinaryCodec
import MDFormat
import Raid

/// What mdadm --examine does not say: bitmap, bad blocks, the log's tail, and all that is ours.
extension RaidExamineFinding {
  var ownLines: [String] {
    var lines: [String] = []
    if superblock.role == .journal {
      lines += ["", Self.line("Journal Tail", "\(superblock.journalTailSectors) sectors")]
    }
    if let bitmap { lines += [""] + bitmap.lines(of: superblock) }
    switch badBlocks {
    case .success(let log):
      lines += ["", "Bad-blocks on \(name):"]
      lines += log.ranges.map { range in
        let start = "\(range.lowerBound)"
        return String(repeating: " ", count: max(0, 20 - start.count))
          + "\(start) for \(range.count) sectors"
      }
    case .failure(let error):
      lines += ["", Self.line("Bad Blocks", "the list cannot be used: \(error)")]
    case nil: break
    }
    return lines + [""] + regionLines
  }

  private var regionLines: [String] {
    guard let header else {
      let problem = headerProblem.map { ": \(Self.sentence($0))" } ?? ""
      return [Self.line("ftool Regions", "none" + problem)]
    }
    let isSpare = header.slot == RegionHeader.noSlot
    var lines = [
      Self.line("ftool Regions", "header of generation \(header.generation)"),
      Self.line("Header Copies", "near: \(Self.text(nearCopy)); far: \(Self.text(farCopy))"),
      Self.line("Slot", isSpare ? "none" : "\(header.slot)"),
      Self.line("Marker", markerText),
    ]
    for region in header.regions {
      lines.append(
        Self.line(
          Self.name(of: region.kind),
          "\(region.range.count) bytes at byte \(region.range.lowerBound)"))
    }
    if header.range(of: .sums) != nil {
      lines.append(Self.line("Sums State", hasTrustedSums ? "valid" : "stale"))
    }
    return lines + counterLines(header) + rosterLines
  }

  private var markerText: String {
    guard superblock.marker != 0 else {
      return "none: someone else wrote the superblock last"
    }
    let marker = "0x" + Self.hexadecimal(superblock.marker)
    return isLastWrittenByUs
      ? "\(marker), ftool wrote the superblock last" : "\(marker), not the header's"
  }

  private func counterLines(_ header: RegionHeader) -> [String] {
    let counters = header.counters
    var lines = [
      Self.line("Damaged Blocks", "\(counters.damagedBlocks)"),
      Self.line("Unreadable", "\(counters.unreadableBlocks) blocks"),
      Self.line("Repaired", "\(counters.repairedBlocks) blocks"),
      Self.line("Renewed Sums", "\(counters.renewedSums)"),
      Self.line("Unrepaired", "\(counters.unrepairedBlocks) blocks"),
      Self.line(
        "Last Scrub", counters.lastScrubAt == 0 ? "never" : Self.time(counters.lastScrubAt).rfc3339),
    ]
    let progress = header.progress
    if progress.operation != .none {
      lines.append(
        Self.line(
          "Maintenance",
          "\(progress.operation) \(progress.phase), byte \(progress.position) of \(progress.end)"))
    }
    return lines
  }

  private var rosterLines: [String] {
    guard let roster else { return [] }
    return roster.members.enumerated().map { slot, member in
      Self.line(
        "Roster Slot \(slot)",
        member == .zero
          ? "nobody" : "\(member)" + (member == superblock.deviceID ? " (this member)" : ""))
    }
  }

  private static func text(_ copy: HeaderCopy) -> String {
    switch copy {
    case .whole(let generation): "generation \(generation)"
    case .foreign: "of another member"
    case .unreadable: "unreadable"
    case .bad(let error): sentence(error)
    }
  }

  private static func sentence(_ error: RegionHeaderError) -> String {
    switch error {
    case .absent: "absent"
    case .unsupported(let version): "of version \(version), which is not known here"
    case .damaged: "damaged: its checksum is wrong"
    case .invalid: "invalid: it does not fit this member"
    }
  }

  private static func name(of kind: RegionHeader.Kind) -> String {
    switch kind {
    case .sums: "Sums Region"
    case .intent: "Intent Region"
    case .journal: "Journal Region"
    case .events: "Events Region"
    case .roster: "Roster Region"
    case .blanks: "Blanks Region"
    }
  }

  static func time(_ seconds: UInt64) -> UTCTime {
    UTCTime(secondsSinceEpoch: Int64(clamping: seconds))
  }
}
