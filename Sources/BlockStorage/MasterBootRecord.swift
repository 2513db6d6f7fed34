import LinuxSystem

/// The partition table of the IBM PC: four slots in the first sector; one may hold a chain of further
/// sectors, each with one logical partition and a link to the next. All numbers are sectors of 512 bytes.
enum MasterBootRecord {
  private struct Slot {
    let status: UInt8
    let type: UInt8
    let first: Int
    let count: Int

    /// Bootable or not; in a boot sector of a filesystem there is code.
    var hasValidStatus: Bool { status & 0x7f == 0 }
    var isUsed: Bool { type != 0 && count > 0 }
    var isExtended: Bool { type == 0x05 || type == 0x0f || type == 0x85 }
  }

  /// More logical partitions than this are a loop, or an attack.
  private static let logicalLimit = 256

  /// Whose disk this is, by its first sector.
  enum Claim: Equatable {
    /// Partitions of its own.
    case ordinary
    /// A slot that only keeps others off a GPT.
    case protective
    /// Neither, or nobody can read it.
    case nobodys
  }

  static func claim(on device: any BlockDevice) -> Claim {
    guard device.byteCount >= 512, let slots = try? slots(device, 0),
      slots.allSatisfy(\.hasValidStatus)
    else { return .nobodys }
    if slots.contains(where: { $0.type == 0xee }) { return .protective }
    return slots.contains(where: \.isUsed) ? .ordinary : .nobodys
  }

  /// The partitions; nil when there is no such table.
  static func partitions(on device: any BlockDevice) throws(PartitionTableError) -> [Partition]? {
    guard device.byteCount >= 512, let slots = try slots(device, 0) else { return nil }
    // A filesystem's boot sector ends with the same two bytes, but its slots are code.
    guard slots.allSatisfy(\.hasValidStatus) else { return nil }
    var primary: [Partition] = []
    var logical: [Partition] = []
    for (index, slot) in slots.enumerated() where slot.isUsed {
      if let partition = partition(index + 1, slot, relativeTo: 0) { primary.append(partition) }
      if slot.isExtended && logical.isEmpty { logical = chain(device, slot) }
    }
    return primary + logical
  }

  /// Follows the chain: partitions lie relative to the sector that names them, links relative to the
  /// chain's first sector. A sector that cannot be read or is none ends it.
  private static func chain(_ device: any BlockDevice, _ container: Slot) -> [Partition] {
    var partitions: [Partition] = []
    var sector = container.first
    var seen: Set<Int> = []
    while seen.count < logicalLimit, seen.insert(sector).inserted,
      sector < device.byteCount / 512, let slots = try? slots(device, sector)
    {
      for slot in slots where slot.isUsed && !slot.isExtended {
        let number = 5 + partitions.count
        if let partition = partition(number, slot, relativeTo: sector) {
          partitions.append(partition)
        }
      }
      guard let next = slots.first(where: { $0.isUsed && $0.isExtended }) else { break }
      sector = container.first + next.first
    }
    return partitions
  }

  private static func partition(_ number: Int, _ slot: Slot, relativeTo base: Int) -> Partition? {
    let first = base + slot.first
    guard let range = PartitionTable.bytes(first: first, last: first + slot.count - 1, 512) else {
      return nil
    }
    return Partition(
      number: number, range: range, typeName: PartitionType.name(ofByte: slot.type), name: "")
  }

  /// The four slots of a sector; nil when it does not end as such a sector does.
  private static func slots(
    _ device: any BlockDevice, _ sector: Int
  ) throws(PartitionTableError) -> [Slot]? {
    var buffer = AlignedBuffer(byteCount: 512)
    try PartitionTable.read(device, &buffer, sector * 512..<sector * 512 + 512)
    let bytes = buffer.bytes
    guard bytes.has([0x55, 0xaa], at: 510) else { return nil }
    var slots: [Slot] = []
    for index in 0..<4 {
      let start = 446 + 16 * index
      slots.append(
        Slot(
          status: bytes.raw(start), type: bytes.raw(start + 4),
          first: bytes.little(start + 8, as: UInt32.self),
          count: bytes.little(start + 12, as: UInt32.self)))
    }
    return slots
  }
}
