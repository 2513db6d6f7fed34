import BinaryCodec
import CheckpointFormat
import LinuxSystem

// Images, as they are and with the checksums that fit them.
//
//   FTOOL_FUZZ=1 swift build --sanitize=fuzzer -c release --product fuzz-image --scratch-path .build-fuzz
//   mkdir -p .build-fuzz/corpus-image && .build-fuzz/release/fuzz-image \
//     -max_total_time=60 .build-fuzz/corpus-image Tests/CheckpointFormatTests/Fixtures

private let path = "/dev/shm/ftool-fuzz-image-\(Machine.processID)"

@_cdecl("LLVMFuzzerTestOneInput")
func fuzzImage(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  var bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
  read(bytes)
  if seal(&bytes) { read(bytes) }
  return 0
}

/// What is delivered must make sense.
private func read(_ bytes: [UInt8]) {
  do {
    let file = try OwnedDescriptor.open(
      path, access: .readWrite, options: [.create, .truncate])
    if !bytes.isEmpty { try file.write(bytes.rawBytes, range: 0..<bytes.count, at: 0) }
    let reader = try ImageReader(file, anyArchitecture: true)
    let page = reader.header.pageByteCount
    if let index = try? reader.index() { precondition(index.storedByteCount == bytes.count) }
    let state = try reader.state()
    precondition(state.count <= ImageWriter.stateByteLimit)
    try reader.forEachFrame(workers: 1) { frame in
      precondition(frame.bytes.byteCount <= BlockBuffer.capacity)
      var byteCount = 0
      var end: UInt64 = 0
      for index in 0..<frame.runs.count {
        let run = frame.runs[index]
        precondition(run.address >= end && run.address % UInt64(page) == 0)
        end = run.address + UInt64(run.pageCount * page)
        byteCount += run.pageCount * page
      }
      precondition(frame.kind != .block || byteCount == frame.bytes.byteCount)
    }
  } catch {}
}

/// Makes all checksums right, as far as frames can be told apart; false where there is nothing to make right.
private func seal(_ bytes: inout [UInt8]) -> Bool {
  guard bytes.count >= 64 + 48 else { return false }
  let count = bytes.count
  let identifier = Array(bytes[16..<32])
  bytes.withMutableRawBytes { bytes in
    bytes.store(UInt64(0x504b_436c_6f6f_7466), at: 0)
    bytes.store(UInt32(1), at: 8)
    bytes.store(UInt32(0), at: 48)
    bytes.store(crc32c(bytes.bytes.sub(16..<64)), at: 12)
    var whole = CRC32C()
    whole.update(bytes.bytes.sub(0..<64))
    var offset = 64
    var sequence: UInt64 = 0
    while offset + 48 <= count, bytes.bytes.integer(at: offset) != UInt64(0x444e_456c_6f6f_7466) {
      bytes.store(sequence, at: offset + 8)
      sequence += 1
      let table: UInt32 = bytes.bytes.integer(at: offset + 24)
      let stored: UInt32 = bytes.bytes.integer(at: offset + 28)
      let end = offset + 48 + Int(table) + Int(stored)
      if end <= count {
        bytes.store(crc32c(bytes.bytes.sub(offset + 48..<end)), at: offset + 36)
      }
      var head = CRC32C()
      head.update(identifier.rawBytes)
      head.update(bytes.bytes.sub(offset..<offset + 44))
      bytes.store(head.value, at: offset + 44)
      whole.update(bytes.bytes.sub(offset..<offset + 48))
      offset = end
    }
    if offset + 96 <= count {
      bytes.store(UInt64(offset), at: offset + 24)
      bytes.store(whole.value, at: offset + 88)
      bytes.store(crc32c(bytes.bytes.sub(offset..<offset + 92)), at: offset + 92)
    }
  }
  return true
}
