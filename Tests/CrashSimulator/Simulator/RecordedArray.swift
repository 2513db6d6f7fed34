import BlockStorage
import FToolTestSupport
import LinuxSystem
import Raid

/// An open array of which everything that is written, and everything that is acknowledged, is taken down.
struct RecordedArray {
  let array: RaidArray
  let tape: Tape
  let history: Monitor<ArrayHistory>

  func write(_ bytes: [UInt8], at offset: Int) throws {
    try perform(announce(bytes, at: offset))
  }

  /// A write that is about to be made, by whichever thread.
  struct AnnouncedWrite: Sendable {
    let number: Int
    let bytes: [UInt8]
    let offset: Int
  }

  func announce(_ bytes: [UInt8], at offset: Int) -> AnnouncedWrite {
    AnnouncedWrite(
      number: history.withLock { $0.add(bytes, at: offset) }, bytes: bytes, offset: offset)
  }

  func perform(_ write: AnnouncedWrite) throws(RaidError) {
    let buffer = AlignedBuffer(write.bytes)
    tape.note(.writeBegan, write.number)
    try array.write(buffer.bytes, range: 0..<write.bytes.count, atArrayOffset: write.offset)
    tape.note(.writeEnded, write.number)
  }

  func flush() throws(RaidError) {
    let number = history.withLock { $0.nextFlush() }
    tape.note(.flushBegan, number)
    try array.flushAll()
    tape.note(.acknowledged, number)
  }

  func close() throws(RaidError) {
    let number = history.withLock { $0.nextFlush() }
    tape.note(.flushBegan, number)
    try array.close()
    tape.note(.acknowledged, number)
  }
}
