import BinaryCodec

/// The log of a raid4/5/6 with a journal member (Linux: drivers/md/raid5-cache.c).
///
/// The journal member's data area is a ring of 4 KiB blocks. A meta block says what the blocks behind
/// it are: data on its way to the array, parity that belongs to it, or nothing, when it only says
/// that stripes have arrived ("flush"). All positions here are sectors from the ring's start.
///
/// Checksums are CRC32C registers without the inversion at the end, started from `seed`.
package struct MDJournal: Sendable {
  /// The ring's length: the member's data size rounded down to whole blocks.
  package let areaSectors: Int
  /// The register after the array's identifier.
  package let seed: UInt32

  /// A block of the ring, in sectors.
  package static let blockSectors = 8
  /// The same in bytes.
  package static let blockByteCount = 4096

  /// The kernel adds this to the sequence number when it begins anew behind a recovered log, so that
  /// no old meta block can follow on by accident.
  package static let restartSequenceStep: UInt64 = 10_000

  /// - Parameter areaSectors: the journal member's data size; a rest that is no block is left out.
  package init(arrayID: Identifier, areaSectors: Int) {
    self.areaSectors = max(0, areaSectors) & ~(Self.blockSectors - 1)
    var sum = CRC32C()
    sum.update(arrayID.bytes.rawBytes)
    seed = sum.register
  }

  /// The checksum of a block of data or parity.
  package func checksum(of block: RawSpan) -> UInt32 {
    var sum = CRC32C(register: seed)
    sum.update(block)
    return sum.register
  }

  /// The position `count` sectors on, round the ring. The ring must not be empty.
  package func advance(_ sector: Int, by count: Int) -> Int { (sector + count) % areaSectors }

  /// The position at which to begin for a journal tail from a superblock: the start of the ring if
  /// that is not a block of it (Linux: `r5l_load_log`).
  package func start(forTail tail: UInt64) -> Int {
    tail < UInt64(areaSectors) && tail % UInt64(Self.blockSectors) == 0 ? Int(tail) : 0
  }
}
