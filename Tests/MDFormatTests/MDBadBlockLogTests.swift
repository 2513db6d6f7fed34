import BinaryCodec
import MDFormat
import Testing

@Suite struct MDBadBlockLogTests {
  private func decode(_ words: [UInt64], shift: UInt8 = 0) throws -> MDBadBlockLog {
    let area = [UInt8].block(of: 8 * words.count) { span in
      for (index, word) in words.enumerated() { span.store(word, at: 8 * index) }
    }
    return try MDBadBlockLog(decoding: area.rawBytes, shift: shift)
  }

  @Test func `reads and writes what Linux wrote`() throws {
    let area = try Fixture.bytes("badblocks-raid5-3-badblocks-1")
    let log = try MDBadBlockLog(decoding: area.rawBytes)
    #expect(log.ranges == [10240..<10256, 20000..<20008])
    #expect(try [UInt8].block(of: 4096) { span in try log.encode(into: &span) } == area)
  }

  @Test(arguments: 0..<UInt64(50)) func `decodes what it encoded`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let shift = UInt8.random(in: 0...6, using: &random)
    var start = 0
    let log = MDBadBlockLog(
      ranges: (0..<Int.random(in: 0...60, using: &random)).map { _ in
        start += Int.random(in: 1...1 << 30, using: &random) << Int(shift)
        return start..<start + Int.random(in: 1...512, using: &random) << Int(shift)
      })
    let area = try [UInt8].block(of: 4096, filler: 0xa5) { span in
      try log.encode(into: &span, shift: shift)
    }
    #expect(try MDBadBlockLog(decoding: area.rawBytes, shift: shift) == log)
  }

  @Test func `ends at the first word of all ones`() throws {
    #expect(try decode([5 << 10 | 3, .max, 9 << 10 | 1]).ranges == [5..<8])
    #expect(try decode([5 << 10 | 3]).ranges == [5..<8])
    #expect(try decode([]).ranges == [])
    #expect(try decode([0, 7 << 10]).ranges == [])  // of no length
  }

  @Test func `cuts long ranges and grows them to units`() throws {
    let log = MDBadBlockLog(ranges: [100..<1400, 3001..<3002])
    let area = try [UInt8].block(of: 64) { span in try log.encode(into: &span) }
    let decoded = try MDBadBlockLog(decoding: area.rawBytes)
    #expect(decoded.ranges == [100..<612, 612..<1124, 1124..<1400, 3001..<3002])
    let coarse = try [UInt8].block(of: 64) { span in try log.encode(into: &span, shift: 3) }
    #expect(
      try MDBadBlockLog(decoding: coarse.rawBytes, shift: 3).ranges == [96..<1400, 3000..<3008])
  }

  @Test func `says when it is full, and changes nothing`() {
    let log = MDBadBlockLog(ranges: (0..<9).map { 10 * $0..<10 * $0 + 1 })
    var area = [UInt8](repeating: 0xa5, count: 64)
    #expect(throws: MDBadBlockLogError.full(capacity: 8)) {
      try area.withMutableRawBytes { (span) throws(MDBadBlockLogError) in
        try log.encode(into: &span)
      }
    }
    #expect(area == [UInt8](repeating: 0xa5, count: 64))
  }

  @Test func `refuses sectors that no disk has`() throws {
    #expect(try decode([1 << 63]).ranges == [])
    #expect(throws: MDBadBlockLogError.invalid(entry: 1)) {
      try decode([1 << 10 | 1, .max - 1], shift: 30)
    }
    #expect(throws: MDBadBlockLogError.unsupportedShift(31)) { try decode([1], shift: 31) }
    #expect(throws: MDBadBlockLogError.unsupportedShift(255)) { try decode([1], shift: 255) }
  }

  @Test func `knows what it lists`() {
    let log = MDBadBlockLog(ranges: [10..<20, 30..<31])
    #expect(log.overlaps(19..<30))
    #expect(log.overlaps(30..<40))
    #expect(!log.overlaps(20..<30))
    #expect(!log.overlaps(0..<10))
  }
}
