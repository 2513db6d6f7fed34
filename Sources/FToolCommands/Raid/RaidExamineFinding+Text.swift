import BinaryCodec
import LinuxSystem
import MDFormat
import RaidGeometry

/// A 1.x superblock in the lines of `mdadm --examine` (mdadm 4.2; super1.c).
extension RaidExamineFinding {
  var lines: [String] {
    identityLines + [""] + sizeLines + stateLines + [""] + changeLines + updateLines + [""]
      + layoutLines + [""] + roleLines
  }

  private var identityLines: [String] {
    var lines = [
      Self.line("Magic", "a92b4efc"),
      Self.line("Version", superblock.version.rawValue),
      Self.line("Feature Map", "0x" + Self.hexadecimal(superblock.features.rawValue)),
      Self.line("Array UUID", superblock.arrayID.description),
      Self.line("Name", superblock.name + localText),
    ]
    if case .success(let content) = bitmap?.content, content.header.nodeCount > 0 {
      let name = content.header.clusterName.prefix { $0 != 0 }
      lines.append(Self.line("Cluster Name", String(decoding: name, as: UTF8.self)))
    }
    return lines + [
      Self.line("Creation Time", Self.date(superblock.creationSeconds)),
      Self.line("Raid Level", Self.levelName(superblock)),
      Self.line("Raid Devices", "\(superblock.slotCount)"),
    ]
  }

  private var localText: String {
    let host = Machine.hostName
    return !host.isEmpty && superblock.name.hasPrefix(host + ":")
      ? "  (local to host \(host))" : ""
  }

  private var sizeLines: [String] {
    let data = superblock.dataSizeSectors
    var lines = [Self.line("Avail Dev Size", "\(data) sectors" + Self.size(sectors: data))]
    if superblock.level != MDLevel.raid0 {
      if let array = arrayByteCount {
        lines.append(Self.line("Array Size", "\(array >> 10) KiB" + Self.size(array)))
      }
      if superblock.sizeSectors != data {
        let used = superblock.sizeSectors
        lines.append(Self.line("Used Dev Size", "\(used) sectors" + Self.size(sectors: used)))
      }
    }
    if superblock.dataOffsetSectors > 0 {
      lines.append(Self.line("Data Offset", "\(superblock.dataOffsetSectors) sectors"))
    }
    let movesData = superblock.features.contains(.newOffset)
    if movesData, superblock.reshape.newOffsetSectors != 0 {
      let offset =
        superblock.dataOffsetSectors
        &+ UInt64(bitPattern: Int64(superblock.reshape.newOffsetSectors))
      lines.append(Self.line("New Offset", "\(offset) sectors"))
    }
    lines.append(Self.line("Super Offset", "\(superblock.superOffsetSectors) sectors"))
    if superblock.features.contains(.recoveryOffset) {
      lines.append(
        Self.line("Recovery Offset", "\(superblock.recoveryOffsetSectors) sectors"))
    }
    if !movesData, let (before, after) = unusedSectors {
      lines.append(
        Self.line("Unused Space", "before=\(before) sectors, after=\(after) sectors"))
    }
    return lines
  }

  private var stateLines: [String] {
    [
      Self.line("State", superblock.isClean ? "clean" : "active"),
      Self.line("Device UUID", superblock.deviceID.description),
    ]
  }

  /// Bitmap or partial parity log, reshape, and the member's flags.
  private var changeLines: [String] {
    var lines: [String] = []
    if superblock.features.contains(.bitmap) {
      lines.append(
        Self.line(
          "Internal Bitmap", "\(superblock.bitmapOffsetSectors) sectors from superblock"))
    } else if !superblock.features.isDisjoint(with: .anyPartialParityLog) {
      let offset = UInt16(bitPattern: superblock.partialParityOffsetSectors)
      lines.append(
        Self.line(
          "PPL",
          "\(superblock.partialParitySectors) sectors at offset \(offset) sectors from superblock"))
    }
    if superblock.isReshaping { lines += reshapeLines + [""] }
    if superblock.deviceFlags.rawValue != 0 {
      let names = Self.flagNames(superblock.deviceFlags).map { " \($0)" }.joined()
      lines.append("          Flags :" + names)
    }
    return lines
  }

  /// The same for 0.90.
  var reshapeLines: [String] {
    let reshape = superblock.reshape
    let position = reshape.positionSectors
    var lines = [
      Self.line("Reshape pos'n", "\(position / 2)" + Self.size(sectors: position))
    ]
    if reshape.deltaSlots != 0 {
      lines.append(
        Self.line(
          "Delta Devices",
          "\(reshape.deltaSlots) (\(superblock.previousSlotCount)->\(superblock.slotCount))"))
    }
    if reshape.newLevel != superblock.level {
      lines.append(
        Self.line("New Level", Self.levelName(reshape.newLevel, layout: reshape.newLayout)))
    }
    if reshape.newLayout != superblock.layout,
      let name = Self.layoutName(
        level: superblock.level, layout: reshape.newLayout, hasRaid0Layout: false)
    {
      lines.append(Self.line("New Layout", name))
    }
    if reshape.newChunkSectors != superblock.chunkSectors {
      let chunk = reshape.newChunkSectors
      lines.append(
        Self.line(
          "New Chunksize",
          superblock.version == .v0_90 ? "\(UInt64(chunk) * 512)" : "\(chunk / 2)K"))
    }
    return lines
  }

  private var updateLines: [String] {
    var lines = [Self.line("Update Time", Self.date(superblock.updateSeconds))]
    let log = superblock.badBlockLog
    if log.sizeSectors > 0, log.offsetSectors != 0 {
      let present =
        superblock.features.contains(.badBlocks) ? " - bad blocks present." : ""
      lines.append(
        Self.line(
          "Bad Block Log",
          "\(Int(log.sizeSectors) * 64) entries available at offset \(log.offsetSectors) sectors"
            + present))
    }
    return lines + [
      Self.line("Checksum", "\(Self.hexadecimal(checksum)) - correct"),
      Self.line("Events", "\(superblock.events)"),
    ]
  }

  /// The same for 0.90.
  var layoutLines: [String] {
    var lines: [String] = []
    if let name = Self.layoutName(
      level: superblock.level, layout: superblock.layout,
      hasRaid0Layout: superblock.features.contains(.raid0Layout))
    {
      lines.append(Self.line("Layout", name))
    }
    switch superblock.level {
    case MDLevel.linear:
      lines.append(Self.line("Rounding", "\(superblock.chunkSectors / 2)K"))
    case MDLevel.raid0, MDLevel.raid4, MDLevel.raid5, MDLevel.raid6, MDLevel.raid10,
      MDLevel.erasureCoded:
      lines.append(Self.line("Chunk Size", "\(superblock.chunkSectors / 2)K"))
    default: break
    }
    return lines
  }

  private var roleLines: [String] {
    let role =
      switch superblock.role {
      case .spare, .faulty: "spare"
      case .journal: "Journal"
      case .slot(let slot) where superblock.features.contains(.replacement):
        "Replacement device \(slot)"
      case .slot(let slot): "Active device \(slot)"
      }
    let state = arrayState
    var lines = [
      Self.line("Device Role", role, width: 14),
      Self.line(
        "Array State", state + " ('A' == active, '.' == missing, 'R' == replacing)", width: 14),
    ]
    if state.contains("?") {
      lines.append("WARNING Array state is inconsistent - each number should appear only once")
      lines.append(
        superblock.roles.enumerated().map { number, role in
          role >= MDSuperblock.faulty ? " \(number):-" : " \(number):\(role)"
        }.joined())
    }
    return lines
  }
}

// MARK: - Values

extension RaidExamineFinding {
  /// One letter for each slot.
  var arrayState: String {
    var counts = [Int](repeating: 0, count: max(superblock.slotCount, superblock.previousSlotCount))
    for role in superblock.roles where counts.indices.contains(Int(role)) {
      counts[Int(role)] += 1
    }
    return String(
      counts.map { count -> Character in
        switch count {
        case 0: "."
        case 1: "A"
        case 2: "R"
        default: "?"
        }
      })
  }

  /// As mdadm reckons it: chunks are not looked at. nil where it says nothing.
  var arrayByteCount: UInt64? {
    let slots = UInt64(superblock.slotCount)
    let (factor, divisor): (UInt64, UInt64)
    switch superblock.level {
    case MDLevel.raid1: (factor, divisor) = (1, 1)
    case MDLevel.raid4, MDLevel.raid5: (factor, divisor) = (slots &- 1, 1)
    case MDLevel.raid6: (factor, divisor) = (slots &- 2, 1)
    case MDLevel.raid10:
      (factor, divisor) = (
        slots, UInt64(superblock.layout & 0xff) * UInt64(superblock.layout >> 8 & 0xff)
      )
    case MDLevel.erasureCoded:
      (factor, divisor) = (slots &- UInt64(superblock.erasureParityCount), 1)
    default: return nil
    }
    let (bytes, overflow) = Self.clampedBytes(superblock.sizeSectors)
      .multipliedReportingOverflow(by: factor)
    guard divisor > 0, factor > 0, factor <= slots, !overflow else { return nil }
    return bytes / divisor
  }

  /// Sectors between metadata and data, and behind the data; nil where mdadm says nothing.
  private var unusedSectors: (before: UInt64, after: String)? {
    let data = Int(superblock.dataOffsetSectors)
    let used = Int(
      superblock.level <= 0 ? superblock.dataSizeSectors : superblock.sizeSectors)
    let start = Int(superblock.superOffsetSectors)
    let log = superblock.badBlockLog
    let hasLog = log.offsetSectors != 0 && log.sizeSectors > 0
    let logStart = start + Int(log.offsetSectors)
    var before = data
    var after: Int
    if data < start {
      var end = start
      if hasLog { end = min(end, logStart) }
      end = min(end, start + intentOffset)
      after = max(0, end - used - data)
    } else {
      var first = start + 72
      if intentOffset > 0 { first = max(first, intentOffset + intentSectors) }
      if hasLog { first = max(first, logStart + Int(log.sizeSectors)) }
      before = max(0, data - first)
      after = byteCount / 512 - used - data
    }
    if before == 0, after == 0 { after = 1 }
    if superblock.role == .journal { after = (byteCount / 512 - data) % 8 }
    if after == 1 { return nil }
    // What is negative mdadm prints as the unsigned number that it then is.
    return (UInt64(before), "\(UInt64(bitPattern: Int64(after)))")
  }

  /// Bitmap or partial parity log, from the superblock on.
  private var intentOffset: Int {
    if superblock.features.contains(.bitmap) { return Int(superblock.bitmapOffsetSectors) }
    guard !superblock.features.isDisjoint(with: .anyPartialParityLog) else { return 0 }
    return Int(UInt16(bitPattern: superblock.partialParityOffsetSectors))
  }

  private var intentSectors: Int {
    guard superblock.features.contains(.bitmap) else {
      return Int(superblock.partialParitySectors)
    }
    guard case .success(let content) = bitmap?.content else { return 0 }
    return content.header.byteCountOnDisk / 512
  }

  static func levelName(_ superblock: MDSuperblock) -> String {
    if superblock.level == MDLevel.erasureCoded {
      let parities = superblock.erasureParityCount
      return "ec:\(superblock.slotCount - parities)+\(parities)"
    }
    return levelName(superblock.level, layout: superblock.layout)
  }

  static func levelName(_ level: Int32, layout: UInt32) -> String {
    switch level {
    case MDLevel.multipath: "multipath"
    case MDLevel.faulty: "faulty"
    default: RaidLevel(number: level, layout: layout)?.name ?? "-unknown-"
    }
  }

  /// nil for levels that have none.
  static func layoutName(level: Int32, layout: UInt32, hasRaid0Layout: Bool) -> String? {
    switch level {
    case MDLevel.raid0 where hasRaid0Layout:
      return layout == 1 ? "original" : layout == 2 ? "alternate" : "-unknown-"
    case MDLevel.raid5, MDLevel.raid6:
      guard let rotation = ParityRotation(rawValue: layout),
        rotation.exists(withParityCount: level == MDLevel.raid5 ? 1 : 2)
      else { return "-unknown-" }
      return rotation.name
    case MDLevel.raid10:
      let (near, far) = (layout & 0xff, layout >> 8 & 0xff)
      var parts: [String] = []
      if near != 1 { parts.append("near=\(near)") }
      if far != 1 { parts.append("\(layout & 0x10000 != 0 ? "offset" : "far")=\(far)") }
      return parts.isEmpty ? "NO REDUNDANCY" : parts.joined(separator: ", ")
    default: return nil
    }
  }

  static func flagNames(_ flags: MDDeviceFlags) -> [String] {
    (flags.contains(.writeMostly) ? ["write-mostly"] : [])
      + (flags.contains(.failFast) ? ["failfast"] : [])
  }

  static func size(sectors: UInt64) -> String { size(clampedBytes(sectors)) }

  /// ` (23.00 MiB 24.12 MB)`, as mdadm rounds it; nothing for what is small.
  static func size(_ byteCount: UInt64) -> String {
    guard byteCount >= 5000 * 1024 else { return "" }
    func hundredths(_ unit: UInt64) -> String {
      let (high, low) = byteCount.multipliedFullWidth(by: 200)
      let (quotient, _) = unit.dividingFullWidth((high, low))
      let value = (quotient + 1) / 2
      let rest = value % 100
      return "\(value / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
    if byteCount < 2 << 30 {
      return " (\(hundredths(1 << 20)) MiB \(hundredths(1_000_000)) MB)"
    }
    return byteCount < 2 << 40
      ? " (\(hundredths(1 << 30)) GiB \(hundredths(1_000_000_000)) GB)"
      : " (\(hundredths(1 << 40)) TiB \(hundredths(1_000_000_000_000)) TB)"
  }

  /// `Sat Nov 21 00:47:06 2026`, in UTC.
  static func date(_ seconds: UInt64) -> String {
    let text = UTCTime(secondsSinceEpoch: Int64(seconds)).rfc3339
    // 2026-11-21T00:47:06Z; years of five digits are longer.
    let parts = text.dropLast().split(separator: "T")
    let date = parts[0].split(separator: "-")
    let months = [
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    let day = Int(date[2]) ?? 0
    return "\(days[Int(seconds / 86400 % 7)]) \(months[(Int(date[1]) ?? 1) - 1]) "
      + "\(day < 10 ? " " : "")\(day) \(parts[1]) \(date[0])"
  }
}
