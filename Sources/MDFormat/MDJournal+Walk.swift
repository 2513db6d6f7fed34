import BinaryCodec

extension MDJournal {
  /// Where a walk along the log ended.
  package struct End: Equatable, Sendable {
    /// The position behind the last meta block and its blocks.
    package var sector: Int
    /// The sequence number that the next meta block would have had; nil when there was not even a
    /// first, so that the journal is empty or new.
    package var sequence: UInt64?
    /// What was there instead of a next meta block.
    package var reason: MDJournalError
    /// Valid meta blocks met, those included that were passed over.
    package var metaBlockCount: Int
    /// Meta blocks whose blocks or payloads were damaged, and which therefore count for nothing.
    package var damagedCount: Int
  }

  /// Follows the log from `tail`, a superblock's `journalTailSectors`, and hands each meta block
  /// whose blocks all have their checksum to `body`, oldest first (Linux: `r5c_recovery_flush_log`).
  ///
  /// Sequence numbers go up by one; the log ends at the first block that is not the meta block of its
  /// place and number. One with damaged content is passed over, and the next is looked for directly
  /// behind it, as the kernel does. Reads each block of the ring at most once as a meta block and
  /// once as content.
  ///
  /// `read` fills the bytes that it is given from position `sector` of the ring on.
  package func walk<Failure: Error>(
    from tail: UInt64,
    read: (_ sector: Int, _ bytes: inout MutableRawSpan) throws(Failure) -> Void,
    body: (MDJournalMetaBlock) throws(Failure) -> Void
  ) throws(Failure) -> End {
    var end = End(
      sector: start(forTail: tail), sequence: nil, reason: .noRoom, metaBlockCount: 0,
      damagedCount: 0)
    guard areaSectors > 0 else { return end }
    end.reason = .wholeLap
    var buffer = [UInt8](repeating: 0, count: Self.blockByteCount)
    var remainingSectors = areaSectors
    while remainingSectors > 0 {
      try buffer.withMutableRawBytes { (bytes) throws(Failure) in try read(end.sector, &bytes) }
      var meta: MDJournalMetaBlock
      do throws(MDJournalError) {
        meta = try MDJournalMetaBlock(
          decoding: buffer.rawBytes, at: end.sector, expectedSequence: end.sequence, journal: self)
      } catch {
        end.reason = error
        return end
      }
      var usedSectors = Self.blockSectors
      if (try? meta.decodePayloads(from: buffer.rawBytes, journal: self)) != nil,
        usedSectors + meta.blocks.count * Self.blockSectors <= remainingSectors,
        try firstDamagedBlock(of: meta, read: read) == nil
      {
        usedSectors += meta.blocks.count * Self.blockSectors
        try body(meta)
      } else {
        end.damagedCount += 1
      }
      end.metaBlockCount += 1
      end.sequence = meta.sequence &+ 1
      end.sector = advance(end.sector, by: usedSectors)
      remainingSectors -= usedSectors
    }
    return end
  }

  private func firstDamagedBlock<Failure: Error>(
    of meta: MDJournalMetaBlock,
    read: (_ sector: Int, _ bytes: inout MutableRawSpan) throws(Failure) -> Void
  ) throws(Failure) -> MDJournalMetaBlock.Block? {
    var buffer = [UInt8](repeating: 0, count: Self.blockByteCount)
    for block in meta.blocks {
      try buffer.withMutableRawBytes { (bytes) throws(Failure) in try read(block.sector, &bytes) }
      if checksum(of: buffer.rawBytes) != block.checksum { return block }
    }
    return nil
  }
}
