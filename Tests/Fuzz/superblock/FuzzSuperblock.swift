import BinaryCodec
import MDFormat

// Superblocks of any version, as they are and with the checksum that fits them.
//
//   FTOOL_FUZZ=1 swift build --sanitize=fuzzer -c release --product fuzz-superblock \
//     --scratch-path .build-fuzz
//   mkdir -p .build-fuzz/corpus && .build-fuzz/release/fuzz-superblock \
//     -max_total_time=60 .build-fuzz/corpus Tests/MDFormatTests/Fixtures
//
// An input is a superblock's 4096 bytes, so that the tests' fixtures are seeds. Its last eight bytes,
// which no superblock uses, are the member's sectors; 0 stands for the fixtures' usual number.

@_cdecl("LLVMFuzzerTestOneInput")
func fuzzSuperblock(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  var block = [UInt8](UnsafeBufferPointer(start: start, count: min(count, 4096)))
  let truncated = block
  block += [UInt8](repeating: 0, count: 4096 - block.count)
  let stated = Int(truncatingIfNeeded: block.rawBytes.integer(at: 4088, as: UInt64.self))
  let memberSectors = stated == 0 ? 49152 : stated
  for version in MDMetadataVersion.allCases {
    decode(truncated, version, memberSectors)
    decode(block, version, memberSectors)
    correctChecksum(of: &block, version)
    decode(block, version, memberSectors)
  }
  return 0
}

private func correctChecksum(of block: inout [UInt8], _ version: MDMetadataVersion) {
  let roleCount = Int(block.rawBytes.integer(at: 220, as: UInt32.self))
  let (place, covered) =
    version == .v0_90 ? (152, 4096) : (216, 256 + 2 * min(roleCount, MDSuperblock.deviceLimit))
  block.replaceSubrange(place..<place + 4, with: [0, 0, 0, 0])
  var sum: UInt64 = 0
  for index in 0..<covered { sum += UInt64(block[index]) << UInt64(8 * (index % 4)) }
  let folded = UInt32(truncatingIfNeeded: sum) &+ UInt32(truncatingIfNeeded: sum >> 32)
  block.withMutableRawBytes { $0.store(folded, at: place) }
}

/// What was decoded must make sense, and the same bytes again.
private func decode(_ block: [UInt8], _ version: MDMetadataVersion, _ memberSectors: Int) {
  guard
    let superblock = try? MDSuperblock(
      decoding: block.rawBytes, version: version, memberSectors: memberSectors)
  else { return }
  precondition(superblock.dataArea.upperBound <= memberSectors)
  precondition(superblock.superblockArea.upperBound <= memberSectors)
  precondition(superblock.previousSlotCount > 0)
  precondition(superblock.newDataOffsetSectors < UInt64(memberSectors))
  if let sector = superblock.bitmapSector {
    let free = superblock.freeSectors(from: sector, memberSectors: memberSectors)
    precondition(free >= 0 && sector + free <= memberSectors)
  }
  if let area = superblock.partialParityArea { precondition(area.upperBound <= memberSectors) }
  _ = (superblock.role, superblock.name, superblock.badBlockLogArea, superblock.bitmapArrayID)
  guard version != .v0_90 else { return }
  var again = [UInt8](repeating: 0, count: 4096)
  again.withMutableRawBytes { superblock.encode(into: &$0) }
  precondition(again[..<superblock.encodedByteCount] == block[..<superblock.encodedByteCount])
}
