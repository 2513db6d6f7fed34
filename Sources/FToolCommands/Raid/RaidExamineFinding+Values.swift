import MDFormat
import RaidGeometry

/// What the fields come to, as mdadm reckons and spells it.
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
  var unusedSectors: (before: UInt64, after: String)? {
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
    return Int(superblock.partialParityOffsetSectors)
  }

  private var intentSectors: Int {
    guard superblock.features.contains(.bitmap) else {
      return Int(superblock.partialParitySectors)
    }
    guard case .success(let content) = bitmap?.content else { return 0 }
    return content.header.byteCountOnDisk / 512
  }

  static func levelName(_ superblock: MDSuperblock) -> String {
    levelName(superblock.level, layout: superblock.layout, slotCount: superblock.slotCount)
  }

  static func levelName(_ level: Int32, layout: UInt32, slotCount: Int) -> String {
    switch level {
    case MDLevel.multipath: "multipath"
    case MDLevel.faulty: "faulty"
    default: RaidLevel(number: level, layout: layout)?.name(slotCount: slotCount) ?? "-unknown-"
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
