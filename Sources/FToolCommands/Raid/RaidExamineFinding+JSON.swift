import BinaryCodec
import MDFormat
import Raid

/// The same as structured values: bytes, seconds and counts are numbers.
extension RaidExamineFinding {
  var json: JSONValue {
    arrayFields.appending(memberFields).appending([
      .init("reshape", superblock.isReshaping ? reshapeJSON : .null),
      .init("bitmap", bitmap?.json ?? .null),
      .init("partial_parity_log", partialParityJSON),
      .init(
        "journal_tail",
        superblock.role == .journal
          ? .number(Self.clampedBytes(superblock.journalTailSectors)) : .null),
      .init("bad_blocks", badBlockJSON),
      .init("legacy", superblock.legacy.map(Self.json) ?? .null),
      .init("ftool", ownJSON),
    ])
  }

  private var arrayFields: JSONValue {
    [
      "path": .string(name), "bytes": .number(byteCount),
      "metadata": .string(superblock.version.rawValue),
      "features": .number(superblock.features.rawValue),
      "feature_names": .array(Self.names(of: superblock.features).map(JSONValue.string)),
      "uuid": .string(superblock.arrayID.description), "name": .string(superblock.name),
      "created": .time(
        UTCTime(
          secondsSinceEpoch: Int64(superblock.creationSeconds),
          microseconds: min(superblock.creationMicroseconds, 999_999))),
      "level": .string(Self.levelName(superblock)),
      "layout": .string(
        Self.layoutName(
          level: superblock.level, layout: superblock.layout,
          hasRaid0Layout: superblock.features.contains(.raid0Layout))),
      "chunk_bytes": .number(UInt64(superblock.chunkSectors) * 512),
      "slots": .number(superblock.slotCount), "array_bytes": .number(arrayByteCount),
      "used_bytes": MDLevel.usesSize(superblock.level)
        ? .number(Self.clampedBytes(superblock.sizeSectors)) : .null,
      "clean": .bool(superblock.isClean),
      "resync_offset": superblock.isClean
        ? .null : .number(Self.clampedBytes(superblock.resyncOffsetSectors)),
      "array_state": .string(arrayState),
      "roles": .array(superblock.roles.prefix(usedRoleCount).map(Self.json(role:))),
    ]
  }

  private var memberFields: [JSONValue.Field] {
    let (role, slot): (String, Int?) =
      switch superblock.role {
      case .slot(let slot):
        (superblock.features.contains(.replacement) ? "replacement" : "active", slot)
      case .spare: ("spare", nil)
      case .faulty: ("faulty", nil)
      case .journal: ("journal", nil)
      }
    return [
      .init("member_uuid", superblock.legacy == nil ? .string("\(superblock.deviceID)") : .null),
      .init("role", .string(role)), .init("slot", .number(slot)),
      .init("device_number", .number(superblock.deviceNumber)),
      .init("flags", .array(Self.flagNames(superblock.deviceFlags).map(JSONValue.string))),
      .init("data_offset", .number(Self.clampedBytes(superblock.dataOffsetSectors))),
      .init("available_bytes", .number(Self.clampedBytes(superblock.dataSizeSectors))),
      .init("superblock_offset", .number(Self.clampedBytes(superblock.superOffsetSectors))),
      .init(
        "recovery_offset",
        superblock.features.contains(.recoveryOffset) && superblock.role != .journal
          ? .number(Self.clampedBytes(superblock.recoveryOffsetSectors)) : .null),
      .init("updated", .time(Self.time(superblock.updateSeconds))),
      .init("events", .number(superblock.events)), .init("checksum", .number(checksum)),
      .init("corrected_read_errors", .number(superblock.correctedReadErrors)),
    ]
  }

  private var reshapeJSON: JSONValue {
    let reshape = superblock.reshape
    return [
      "position": .number(Self.clampedBytes(reshape.positionSectors)),
      "backwards": .bool(superblock.reshapesBackwards),
      "slots_before": .number(superblock.previousSlotCount),
      "new_level": .string(
        Self.levelName(
          reshape.newLevel, layout: reshape.newLayout, slotCount: superblock.slotCount)),
      "new_layout": .string(
        Self.layoutName(level: reshape.newLevel, layout: reshape.newLayout, hasRaid0Layout: false)),
      "new_chunk_bytes": .number(UInt64(reshape.newChunkSectors) * 512),
      "new_data_offset": .number(Self.clampedBytes(superblock.newDataOffsetSectors)),
    ]
  }

  private var partialParityJSON: JSONValue {
    guard let area = superblock.partialParityArea else { return .null }
    return ["offset": .number(area.lowerBound * 512), "bytes": .number(area.count * 512)]
  }

  private var badBlockJSON: JSONValue {
    switch badBlocks {
    case nil: .null
    case .failure(let error): ["problem": .string("\(error)")]
    case .success(let log):
      [
        "ranges": .array(
          log.ranges.map { range in
            [
              "offset": .number(Self.clampedBytes(UInt64(range.lowerBound))),
              "bytes": .number(Self.clampedBytes(UInt64(range.count))),
            ]
          })
      ]
    }
  }

  private var ownJSON: JSONValue {
    guard let header else { return .null }
    let (progress, counters) = (header.progress, header.counters)
    return [
      "generation": .number(header.generation),
      "near_copy": Self.json(nearCopy), "far_copy": Self.json(farCopy),
      "slot": header.slot == RegionHeader.noSlot ? .null : .number(header.slot),
      "marker": .number(superblock.marker),
      "written_by_ftool": .bool(isLastWrittenByUs),
      "sums": header.range(of: .sums) == nil ? .null : .string(hasTrustedSums ? "valid" : "stale"),
      "regions": .array(
        header.regions.map { region in
          [
            "kind": .string("\(region.kind)"), "offset": .number(region.range.lowerBound),
            "bytes": .number(region.range.count),
          ]
        }),
      "counters": [
        "damaged_blocks": .number(counters.damagedBlocks),
        "unreadable_blocks": .number(counters.unreadableBlocks),
        "repaired_blocks": .number(counters.repairedBlocks),
        "renewed_sums": .number(counters.renewedSums),
        "unrepaired_blocks": .number(counters.unrepairedBlocks),
        "last_scrub": counters.lastScrubAt == 0 ? .null : .time(Self.time(counters.lastScrubAt)),
      ],
      "maintenance": progress.operation == .none
        ? .null
        : [
          "operation": .string("\(progress.operation)"), "phase": .string("\(progress.phase)"),
          "position": .number(progress.position), "end": .number(progress.end),
          "started": .time(Self.time(progress.startedAt)),
          "updated": .time(Self.time(progress.updatedAt)),
        ],
      "roster": roster.map { roster in
        .array(roster.members.map { $0 == .zero ? .null : .string($0.description) })
      } ?? .null,
    ]
  }

  private static func json(_ copy: HeaderCopy) -> JSONValue {
    switch copy {
    case .whole(let generation): .number(generation)
    case .foreign, .unreadable: .string("\(copy)")
    case .bad(let error): .string("\(error)")
    }
  }

  private static func json(_ legacy: MDLegacyDetails) -> JSONValue {
    [
      "preferred_minor": .number(legacy.preferredMinor), "devices": .number(legacy.deviceCount),
      "active": .number(legacy.activeCount), "working": .number(legacy.workingCount),
      "failed": .number(legacy.failedCount), "spare": .number(legacy.spareCount),
      "table": .array(
        legacy.devices.filter { !$0.isEmpty }.map { device in
          [
            "number": .number(device.number), "major": .number(device.major),
            "minor": .number(device.minor), "slot": .number(device.slot),
            "state": .array(stateNames(device.state).map(JSONValue.string)),
          ]
        }),
    ]
  }

  private static func json(role: UInt16) -> JSONValue {
    switch MDRole(rawValue: role) {
    case .slot(let slot): .number(slot)
    case .faulty: "faulty"
    case .journal: "journal"
    case .spare, nil: "spare"
    }
  }

  /// Device numbers up to the last that is not a spare or unused.
  private var usedRoleCount: Int {
    (superblock.roles.lastIndex { $0 != MDSuperblock.spare } ?? -1) + 1
  }

  private static func names(of features: MDFeatures) -> [String] {
    let names: [(MDFeatures, String)] = [
      (.bitmap, "bitmap"), (.recoveryOffset, "recovery-offset"), (.reshape, "reshape"),
      (.badBlocks, "bad-blocks"), (.replacement, "replacement"),
      (.reshapeBackwards, "reshape-backwards"), (.newOffset, "new-offset"),
      (.recoveryBitmap, "recovery-bitmap"), (.clustered, "clustered"), (.journal, "journal"),
      (.writeJournal, "write-journal"), (.takingBack, "taking-back"),
      (.partialParityLog, "ppl"), (.multiplePartialParityLogs, "multiple-ppls"),
      (.raid0Layout, "raid0-layout"), (.erasureCoded, "erasure-coded"),
    ]
    return names.filter { features.contains($0.0) }.map(\.1)
  }
}
