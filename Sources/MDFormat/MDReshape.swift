/// A change of shape on its way: bytes 100...127 of a 1.x superblock.
///
/// Valid only with the feature `reshape` (`newOffsetSectors`: with `newOffset`), but always kept,
/// because the kernel keeps them too. While one runs, the superblock's `level`, `layout` and
/// `chunkSectors` are the old ones and these the new; its `slotCount` is the **new** number.
package struct MDReshape: Equatable, Sendable {
  /// One of `MDLevel`.
  package var newLevel: Int32
  /// Array sectors done, counted from the start, or when running backwards still to do.
  package var positionSectors: UInt64
  /// New slot count minus old.
  package var deltaSlots: Int
  /// As `MDSuperblock.layout`.
  package var newLayout: UInt32
  /// As `MDSuperblock.chunkSectors`.
  package var newChunkSectors: UInt32
  /// This member's new data offset minus its old one, in sectors.
  package var newOffsetSectors: Int32

  package init(
    newLevel: Int32 = 0, positionSectors: UInt64 = 0, deltaSlots: Int = 0, newLayout: UInt32 = 0,
    newChunkSectors: UInt32 = 0, newOffsetSectors: Int32 = 0
  ) {
    self.newLevel = newLevel
    self.positionSectors = positionSectors
    self.deltaSlots = deltaSlots
    self.newLayout = newLayout
    self.newChunkSectors = newChunkSectors
    self.newOffsetSectors = newOffsetSectors
  }
}
