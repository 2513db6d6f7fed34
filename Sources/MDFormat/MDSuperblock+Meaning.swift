import BinaryCodec

/// What the raw fields mean.
extension MDSuperblock {
  /// What this member is. A device number beyond the table is a spare (Linux: `super_1_validate`),
  /// and so is a role that means nothing, which no decoded superblock has.
  package var role: MDRole { role(ofDevice: Int(deviceNumber)) }

  /// What the member with a device number is, as far as this one knows.
  package func role(ofDevice number: Int) -> MDRole {
    guard roles.indices.contains(number) else { return .spare }
    return MDRole(rawValue: roles[number]) ?? .spare
  }

  /// Length of the role table.
  package var maxDevices: Int { roles.count }

  /// `set_name`, usually "host:name". Bytes that are not UTF-8 become replacement characters;
  /// `nameBytes` has them unchanged. A new name must have at most 32 bytes.
  package var name: String {
    get { String(decoding: nameBytes.prefix { $0 != 0 }, as: UTF8.self) }
    set {
      let bytes = [UInt8](newValue.utf8)
      precondition(bytes.count <= 32, "an array's name has at most 32 bytes")
      nameBytes = bytes + [UInt8](repeating: 0, count: 32 - bytes.count)
    }
  }

  /// No write was under way when this was written: parity and copies agree everywhere.
  package var isClean: Bool {
    get { resyncOffsetSectors == Self.allOnes }
    set { resyncOffsetSectors = newValue ? Self.allOnes : 0 }
  }

  /// Whether it says that it is of ftool's own level, by the feature bit that keeps md from using it.
  package var isErasureCoded: Bool { features.contains(.erasureCoded) }

  /// Parity members of an erasure-coded array.
  package var erasureParityCount: Int { Int(layout & 0xff) }

  /// Whether a reshape was begun and has not ended, so that `reshape` counts.
  package var isReshaping: Bool { features.contains(.reshape) }

  /// Slots of the shape before the reshape that runs; without one, `slotCount`.
  package var previousSlotCount: Int { isReshaping ? slotCount - reshape.deltaSlots : slotCount }

  /// Whether the reshape works from the array's end to its start.
  package var reshapesBackwards: Bool {
    isReshaping
      && (reshape.deltaSlots < 0
        || reshape.deltaSlots == 0 && features.contains(.reshapeBackwards))
  }

  /// Where this member's data begins in the new shape.
  package var newDataOffsetSectors: UInt64 {
    guard features.isSuperset(of: [.reshape, .newOffset]) else { return dataOffsetSectors }
    return dataOffsetSectors &+ UInt64(bitPattern: Int64(reshape.newOffsetSectors))
  }

  /// By how much this member's data begins later in the new shape.
  package var effectiveNewOffsetSectors: Int32 {
    features.isSuperset(of: [.reshape, .newOffset]) ? reshape.newOffsetSectors : 0
  }

  /// On a journal member: the sector of its data area where the oldest live meta block is.
  package var journalTailSectors: UInt64 {
    get { recoveryOffsetSectors }
    set { recoveryOffsetSectors = newValue }
  }

  /// Start of the partial parity log, from the superblock's start: the low half of the bytes that
  /// are the bitmap's offset otherwise.
  package var partialParityOffsetSectors: Int16 {
    get { Int16(truncatingIfNeeded: bitmapOffsetSectors) }
    set { setPartialParity(offset: newValue, sectors: partialParitySectors) }
  }

  /// Length of the partial parity log's area.
  package var partialParitySectors: UInt16 {
    get { UInt16(truncatingIfNeeded: bitmapOffsetSectors >> 16) }
    set { setPartialParity(offset: partialParityOffsetSectors, sectors: newValue) }
  }

  private mutating func setPartialParity(offset: Int16, sectors: UInt16) {
    bitmapOffsetSectors = Int32(
      bitPattern: UInt32(sectors) << 16 | UInt32(UInt16(bitPattern: offset)))
  }

  /// The identifier that this array's bitmap carries: of 0.90, the same bytes in another order.
  package var bitmapArrayID: Identifier { version == .v0_90 ? arrayID.wordSwapped : arrayID }

  /// Seconds since 1970 at the last update. Setting it leaves the marker.
  package var updateSeconds: UInt64 {
    get { updateTime & Self.secondsMask }
    set { updateTime = updateTime & ~Self.secondsMask | newValue & Self.secondsMask }
  }

  /// The high 24 bits of the update time. Every kernel writes zero there, so what `ftool` leaves at a
  /// clean close stays only while nobody else updates the superblock.
  package var marker: UInt32 {
    get { UInt32(updateTime >> 40) }
    set {
      precondition(newValue < 1 << 24, "the marker has 24 bits")
      updateTime = updateTime & Self.secondsMask | UInt64(newValue) << 40
    }
  }

  /// Seconds since 1970 when the array was made.
  package var creationSeconds: UInt64 { creationTime & Self.secondsMask }

  /// The microseconds of the second when the array was made; 0 from mdadm and from ftool.
  package var creationMicroseconds: UInt32 { UInt32(creationTime >> 40) }

  private static var secondsMask: UInt64 { (1 << 40) - 1 }
}
