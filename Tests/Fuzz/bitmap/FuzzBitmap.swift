import BinaryCodec
import MDFormat

// The areas beside a superblock: bitmap, bad block log, partial parity log, journal. Each input is
// taken for each of them, with the checksums that fit. Built and run as fuzz-superblock is; the
// tests' fixtures are seeds here too.

private let arrayID = Identifier.zero

@_cdecl("LLVMFuzzerTestOneInput")
func fuzzBitmap(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
  readBitmap(bytes)
  readBadBlockLog(bytes)
  guard bytes.count >= 4096 else { return 0 }
  readPartialParityLog(bytes)
  readJournal(bytes)
  return 0
}

private func readBitmap(_ bytes: [UInt8]) {
  guard let header = try? MDBitmapHeader(decoding: bytes.rawBytes) else { return }
  let sectors = Int(header.syncSizeSectors)
  precondition(header.bits(forSectors: 0..<sectors) == 0..<header.bitCount)
  precondition(header.sectors(ofBits: 0..<header.bitCount) == 0..<sectors)
  precondition(header.byteCountOnDisk >= 4096)
  precondition(header.setBitCount(in: bytes.rawBytes) <= header.bitCount)
  var again = [UInt8](repeating: 0, count: 256)
  again.withMutableRawBytes { header.encode(into: &$0) }
  precondition(again[..<136] == bytes[..<136])
}

private func readBadBlockLog(_ bytes: [UInt8]) {
  let shift = (bytes.last ?? 0) % 40
  guard let log = try? MDBadBlockLog(decoding: bytes.rawBytes, shift: shift) else { return }
  var again = [UInt8](repeating: 0, count: 2 * bytes.count + 16)
  do {
    try again.withMutableRawBytes { (span) throws(MDBadBlockLogError) in
      try log.encode(into: &span, shift: shift)
    }
    let decoded = try MDBadBlockLog(decoding: again.rawBytes, shift: shift)
    precondition(log.ranges.prefix(50).allSatisfy(decoded.overlaps))
  } catch {
    fatalError("what was read cannot be written: \(error)")
  }
}

private func readPartialParityLog(_ bytes: [UInt8]) {
  var bytes = bytes
  bytes.withMutableRawBytes { span in
    span.store(MDPartialParityHeader.signature(arrayID: arrayID), at: 512)
    span.store(0 as UInt32, at: 532)
    span.store(crc32c(span.bytes.sub(0..<4096)), at: 532)
  }
  let log = MDPartialParityLog(arrayID: arrayID, areaByteCount: bytes.count)
  let finding = log.findNewest { offset, span in
    span.copy(bytes.rawBytes.sub(offset..<offset + span.byteCount), at: 0)
  }
  guard case .newest(let header, let offset) = finding else { return }
  precondition(offset + header.byteCountWithParities <= bytes.count)
  for entry in header.entries {
    guard let work = entry.recovery(chunkSectors: 128, slotCount: 4) else { continue }
    precondition(work.dataSectors(atRow: 0).count <= 3 && work.stripSectors <= 128)
  }
}

private func readJournal(_ bytes: [UInt8]) {
  var bytes = bytes
  let journal = MDJournal(arrayID: arrayID, areaSectors: bytes.count / 512)
  bytes.withMutableRawBytes { span in
    span.store(0 as UInt64, at: 24)
    span.store(0 as UInt32, at: 4)
    span.store(journal.checksum(of: span.bytes.sub(0..<4096)), at: 4)
  }
  let block = bytes.rawBytes.sub(0..<4096)
  if var meta = try? MDJournalMetaBlock(
    decoding: block, at: 0, expectedSequence: nil, journal: journal),
    (try? meta.decodePayloads(from: block, journal: journal)) != nil
  {
    var replay = MDJournalReplay()
    try? replay.add(meta) { ($0 &* 3, Int($0 % 3)) }
    replay.finish()
  }
  var reads = 0
  _ = journal.walk(from: 0) { sector, span in
    reads += 1
    span.copy(bytes.rawBytes.sub(512 * sector..<512 * sector + span.byteCount), at: 0)
  } body: { _ in
  }
  precondition(reads <= 2 * bytes.count / 4096)
}
