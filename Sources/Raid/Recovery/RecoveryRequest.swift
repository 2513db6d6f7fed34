import RaidGeometry

/// What is known of an array whose layout is looked for; all of it may be unknown.
package struct RecoveryRequest: Sendable {
  /// The level, by md's number.
  package var level: Int32?
  /// The superblock's layout word.
  package var layout: UInt32?
  /// A power of two, from 4096 on.
  package var chunkByteCount: Int?
  /// Where the data starts on every member.
  package var dataOffset: Int?
  /// Data bytes that the array uses of every member.
  package var memberByteCount: Int?
  /// How many slots the array has, where that is not the number of devices given.
  package var slotCount: Int?
  /// How many bytes may be read of all members together before candidates are compared.
  package var scanByteLimit = 256 << 20
  /// Whether superblocks, and copies and remains of them, are looked at.
  package var usesSuperblocks = true

  package init() {}
}

/// Hears how many bytes have been read so far; false stops the search.
package typealias RecoveryProgress = (_ byteCount: Int) -> Bool
