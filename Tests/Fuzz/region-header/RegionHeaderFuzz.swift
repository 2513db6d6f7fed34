import BinaryCodec
import Raid

// Region headers and rosters, as they are and with the checksum that fits them.
//
//   FTOOL_FUZZ=1 swift build --sanitize=fuzzer -c release --product fuzz-region-header \
//     --scratch-path .build-fuzz
//   mkdir -p .build-fuzz/corpus-region && .build-fuzz/release/fuzz-region-header \
//     -max_total_time=60 .build-fuzz/corpus-region
//
// An input is a header's 2048 bytes, or a roster's 8192.

private let deviceByteCount = 1 << 30

@_cdecl("LLVMFuzzerTestOneInput")
func fuzzRegionHeader(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  var block = [UInt8](UnsafeBufferPointer(start: start, count: min(count, Roster.byteCount)))
  block += [UInt8](repeating: 0, count: Roster.byteCount - block.count)
  decode(block)
  block.withMutableRawBytes { bytes in
    bytes.store(UInt64(0x4e47_526c_6f6f_7466), at: 0)
    bytes.store(UInt32(1), at: 8)
    bytes.store(crc32c(bytes.bytes.sub(16..<2048)), at: 12)
  }
  decode(block)
  block.withMutableRawBytes { bytes in
    bytes.store(UInt32(0x5453_4f52), at: 0)
    bytes.store(crc32c(bytes.bytes.sub(8..<Roster.byteCount)), at: 4)
  }
  if let roster = Roster(decoding: block.rawBytes) {
    precondition(roster.members.count <= Roster.slotLimit)
    var again = [UInt8](repeating: 0, count: Roster.byteCount)
    again.withMutableRawBytes { roster.encode(into: &$0) }
    precondition(Roster(decoding: again.rawBytes) == roster)
  }
  return 0
}

/// What was decoded must make sense, and decode again to the same.
private func decode(_ block: [UInt8]) {
  guard
    let header = try? RegionHeader(
      decoding: block.rawBytes, at: 0, deviceByteCount: deviceByteCount)
  else { return }
  for region in header.regions {
    precondition(region.range.lowerBound >= 0 && region.range.upperBound <= deviceByteCount)
  }
  precondition(header.progress.position <= header.progress.end)
  var again = [UInt8](repeating: 0, count: RegionHeader.byteCount)
  again.withMutableRawBytes { header.encode(into: &$0, at: 0) }
  let decoded = try? RegionHeader(
    decoding: again.rawBytes, at: 0, deviceByteCount: deviceByteCount)
  precondition(decoded == header)
}
