import BinaryCodec

/// The UUIDs of an array's members by slot, kept by every member: md's superblocks do not name the
/// others, and who is told that a member is missing wants to know which.
///
/// ```
/// offset size
///      0    4   magic "ROST"
///      4    4   CRC-32C of bytes 8 to 8191
///      8   16   array's UUID
///     24    4   number of slots
///     28    4   zero
///     32   16   for each slot: the member's UUID, or zeros
/// ```
package struct Roster: Equatable, Sendable {
  /// Its region on the member.
  package static let byteCount = 8192
  private static let magic: UInt32 = 0x5453_4f52
  private static let entries = 32
  /// As many slots as there is room for.
  package static let slotLimit = (byteCount - entries) / 16

  /// The array whose members these are.
  package var arrayID: Identifier
  /// By slot: the device identifier of who has it, or of who had it last; zero for a slot that never was filled.
  package var members: [Identifier]

  package init(arrayID: Identifier, members: [Identifier]) {
    self.arrayID = arrayID
    self.members = Array(members.prefix(Self.slotLimit))
  }

  /// - Precondition: the block has `byteCount` bytes; all of them are written.
  package func encode(into block: inout MutableRawSpan) {
    precondition(block.byteCount >= Self.byteCount)
    block.zero(0..<Self.byteCount)
    block.store(Self.magic, at: 0)
    arrayID.store(in: &block, at: 8)
    block.store(UInt32(members.count), at: 24)
    for (slot, member) in members.enumerated() {
      member.store(in: &block, at: Self.entries + 16 * slot)
    }
    block.store(crc32c(block.bytes.sub(8..<Self.byteCount)), at: 4)
  }

  /// nil when the block is no roster, or a damaged one: then nobody can be named.
  package init?(decoding block: RawSpan) {
    guard block.byteCount >= Self.byteCount,
      block.integer(at: 0, as: UInt32.self) == Self.magic,
      block.integer(at: 4, as: UInt32.self) == crc32c(block.sub(8..<Self.byteCount))
    else { return nil }
    let count = block.integer(at: 24, as: UInt32.self)
    guard count <= Self.slotLimit else { return nil }
    arrayID = Identifier(bytes: block, at: 8)
    members = (0..<Int(count)).map { Identifier(bytes: block, at: Self.entries + 16 * $0) }
  }
}
