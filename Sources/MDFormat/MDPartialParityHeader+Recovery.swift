/// Which blocks mend the parity that an entry is about (Linux: `ppl_recover_entry`, whose comment
/// has pictures of the cases).
extension MDPartialParityHeader.Entry {
  /// The work of one entry: for each row r = 0, `blockSectors`, ... below `stripSectors`, parity is
  /// the XOR of the data at `dataSectors(atRow:)`, and of the partial parity at byte 512 r if the
  /// entry has one; it belongs where array sector `arraySector` + r has its parity. Rows without data
  /// sectors are left alone.
  package struct Recovery: Equatable, Sendable {
    /// The first array sector that was written.
    package let firstSector: Int
    /// Array sectors from here on were not written.
    package let endSector: Int
    /// The array's chunk, in sectors.
    package let chunkSectors: Int
    /// Data members to look at.
    package let dataSlotCount: Int
    /// Rows, in sectors.
    package let stripSectors: Int

    /// Sectors that can be done at once: 4 KiB when the write began and ended so, else one.
    package var blockSectors: Int { firstSector % 8 == 0 && endSector % 8 == 0 ? 8 : 1 }

    /// The array sectors of the written data in a row.
    package func dataSectors(atRow row: Int) -> [Int] {
      (0..<dataSlotCount).map { firstSector + row + $0 * chunkSectors }
        .filter { $0 < endSector }
    }
  }

  /// What to do for this entry in an array of `slotCount` slots; nil when its numbers do not fit such
  /// an array, so that nothing can be done.
  package func recovery(chunkSectors: Int, slotCount: Int) -> Recovery? {
    let members = slotCount - 1
    let parity = partialParityByteCount / 512
    let data = dataByteCount / 512
    guard members > 0, chunkSectors > 0, data > 0, data <= members * chunkSectors,
      parity <= chunkSectors
    else { return nil }
    if parity == chunkSectors {
      return Recovery(
        firstSector: arraySector, endSector: arraySector + data, chunkSectors: chunkSectors,
        dataSlotCount: members, stripSectors: chunkSectors)
    }
    let count = parity > 0 ? data / parity : members
    let strip = parity > 0 ? parity : data / members
    guard (1...members).contains(count), strip > 0 else { return nil }
    return Recovery(
      firstSector: arraySector, endSector: arraySector + (count - 1) * chunkSectors + strip,
      chunkSectors: chunkSectors, dataSlotCount: count, stripSectors: strip)
  }
}
