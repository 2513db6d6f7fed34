import BinaryCodec
import LinuxSystem
import MDFormat

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
      let offset = superblock.partialParityOffsetSectors
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
        Self.line(
          "New Level",
          Self.levelName(
            reshape.newLevel, layout: reshape.newLayout, slotCount: superblock.slotCount)))
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
