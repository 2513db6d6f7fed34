import BinaryCodec
import MDFormat
import Raid

/// The members, one by one.
extension ArrayStatus {
  /// A member, or the place of one that is missing.
  struct Row: Sendable {
    enum State: String, Sendable {
      case inSync = "in-sync"
      case rebuilding, replacing, spare, journal, failed, stale, split, duplicate, missing
      /// Another member has taken its place.
      case replaced
      /// It was named, and is no member or can't be read.
      case unusable
    }

    var slot: Int?
    var path: String?
    /// The member's UUID, where it is known.
    var id: Identifier?
    var state: State
    /// The state in words.
    var sentence: String
    /// Data bytes that are in sync, of one that is being filled.
    var validByteCount: Int?
    var superblock: MDSuperblock?
    var counters: IntegrityCounters?
    /// What md's log lists as unreadable: data offsets, in order; nil where there is no log or it is
    /// damaged.
    var badBlocks: [Range<Int>]?
    /// It is unusable because it may not be opened.
    var isForbidden = false

    /// Whether it takes part in the array.
    var isUsed: Bool {
      switch state {
      case .inSync, .rebuilding, .replacing, .spare, .journal: true
      case .failed, .stale, .split, .duplicate, .missing, .replaced, .unusable: false
      }
    }
  }

  /// In the order of the slots, and then who has none.
  static func rows(
    _ assembly: Assembly, unusable: [(path: String, why: Failure)]
  ) -> [Row] {
    let roster = roster(assembly)
    var taken = Set<Int>()
    func row(_ index: Int, _ slot: Int?) -> Row {
      taken.insert(index)
      return Row(assembly.members[index], assembly.standings[index], assembly, slot: slot)
    }
    var rows: [Row] = []
    for (slot, holder) in assembly.holders.enumerated() {
      if let index = holder.member { rows.append(row(index, slot)) }
      let former = assembly.members.indices.filter { index in
        !assembly.standings[index].isUsed && !taken.contains(index)
          && assembly.members[index].superblock.role == .slot(slot)
      }
      if holder.member == nil {
        rows += former.map { row($0, slot) }
        if former.isEmpty {
          let id = roster.flatMap { $0.members.indices.contains(slot) ? $0.members[slot] : nil }
          rows.append(.missing(slot, id == .zero ? nil : id))
        }
      }
      if let index = holder.replacement { rows.append(row(index, slot)) }
    }
    for index in assembly.members.indices where !taken.contains(index) {
      rows.append(row(index, nil))
    }
    for (path, why) in unusable {
      // The message names the path, and so does the row.
      let message = why.message
      let reason =
        message.hasPrefix("\(path): ") ? String(message.dropFirst(path.count + 2)) : message
      rows.append(
        Row(
          path: path, state: .unusable, sentence: "not usable: \(reason)",
          isForbidden: why.status == .notPermitted))
    }
    return rows
  }

  /// Who the members are: as those say who take part, if any does.
  private static func roster(_ assembly: Assembly) -> Roster? {
    let used = assembly.members.indices.filter { assembly.standings[$0].isUsed }
    return (used.isEmpty ? assembly.members : used.map { assembly.members[$0] }).firstRoster
  }
}

extension ArrayStatus.Row {
  fileprivate static func missing(_ slot: Int, _ id: Identifier?) -> ArrayStatus.Row {
    ArrayStatus.Row(
      slot: slot, id: id, state: .missing,
      sentence: id.map { "missing: it was member \($0)" } ?? "missing")
  }

  fileprivate init(
    _ probe: MemberProbe, _ standing: Assembly.Standing, _ assembly: Assembly, slot: Int?
  ) {
    let superblock = probe.superblock
    self.slot = slot
    path = probe.name
    id = superblock.deviceID
    self.superblock = superblock
    counters = probe.header?.counters
    switch standing {
    case .active:
      (state, sentence) = (.inSync, "in sync")
    case .rebuilding(_, let end):
      (state, sentence) = (.rebuilding, "rebuilt \(Self.percent(end, assembly))")
      validByteCount = end
    case .replacement(_, let end):
      let isWhole = end == Int.max
      (state, sentence) = (
        .replacing,
        isWhole
          ? "has a copy of all that could be read"
          : "takes its place: \(Self.percent(end, assembly))"
      )
      validByteCount = isWhole ? Int(clamping: assembly.reference.sizeSectors) * 512 : end
    case .spare: (state, sentence) = (.spare, "spare")
    case .journal: (state, sentence) = (.journal, "journal")
    case .failed: (state, sentence) = (.failed, "failed: the others go on without it")
    case .stale(let events, let newest):
      (state, sentence) = (.stale, "out of date: at event \(events) of \(newest)")
    case .split:
      (state, sentence) = (.split, "went its own way while the others went on without it")
    case .duplicate: (state, sentence) = (.duplicate, "another member has its place")
    case .former(let slot):
      (state, sentence) = (.replaced, "no member any more: another has its place in slot \(slot)")
    case .unusable(let reason):
      (state, sentence) = (
        .unusable, "not usable: \(Failure(RaidError.notStartable(reason)).message)"
      )
    }
    if superblock.deviceFlags.contains(.writeMostly) { sentence += ", write-mostly" }
    if superblock.features.contains(.badBlocks) {
      badBlocks = probe.listedBadBlocks
      // Of a list that can't be had its standing says everything.
      sentence += badBlocks.map(Self.sentence) ?? ""
    }
  }

  /// `, 3 ranges listed as bad: 4 KiB at byte 40960, …`; the first few of them.
  private static func sentence(_ badBlocks: [Range<Int>]) -> String {
    guard !badBlocks.isEmpty else { return "" }
    let shown = badBlocks.prefix(3).map { "\(ByteSize($0.count)) at byte \($0.lowerBound)" }
    let rest = badBlocks.count > shown.count ? ", …" : ""
    return ", \(badBlocks.count) \(badBlocks.count == 1 ? "range" : "ranges") listed as bad: "
      + shown.joined(separator: ", ") + rest
  }

  private static func percent(_ done: Int, _ assembly: Assembly) -> String {
    let total = Int(clamping: assembly.reference.sizeSectors) * 512
    guard total > 0 else { return "in part" }
    return "\(Int(Double(min(done, total)) / Double(total) * 100)) %"
  }
}
