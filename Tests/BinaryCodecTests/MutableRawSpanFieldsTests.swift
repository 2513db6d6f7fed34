import BinaryCodec
import Testing

@Suite struct MutableRawSpanFieldsTests {
  @Test(arguments: 0..<UInt64(50)) func `reads back what it stored`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let values = (random.next() as UInt64, Int32.random(in: .min ... .max, using: &random))
    let offset = Int.random(in: 0...20, using: &random)
    var bytes = [UInt8](repeating: 0xa5, count: 32)
    bytes.withMutableRawBytes {
      $0.store(values.0, at: offset)
      $0.store(values.1, at: offset + 8)
    }
    #expect(bytes.rawBytes.integer(at: offset) == values.0)
    #expect(bytes.rawBytes.integer(at: offset + 8) == values.1)
    #expect(bytes[..<offset].allSatisfy { $0 == 0xa5 })
    #expect(bytes[(offset + 12)...].allSatisfy { $0 == 0xa5 })
  }

  @Test func `stores the low byte first`() {
    var bytes = [UInt8](repeating: 0, count: 4)
    bytes.withMutableRawBytes { $0.store(0x0102_0304 as UInt32, at: 0) }
    #expect(bytes == [4, 3, 2, 1])
  }

  @Test func `clears and fills no more than asked`() {
    var bytes = [UInt8](repeating: 7, count: 12)
    bytes.withMutableRawBytes { $0.zero(3..<5) }
    #expect(bytes == [7, 7, 7, 0, 0, 7, 7, 7, 7, 7, 7, 7])
    bytes.withMutableRawBytes { $0.fill(11..<12, with: 0xff) }
    #expect(bytes.last == 0xff)
    bytes.withMutableRawBytes { $0.zero(5..<5) }
    #expect(bytes[5] == 7)
    bytes.withMutableRawBytes { $0.zero() }
    #expect(bytes == [UInt8](repeating: 0, count: 12))
  }

  @Test func `copies`() {
    var bytes = [UInt8](repeating: 0, count: 6)
    bytes.withMutableRawBytes { $0.copy([1, 2, 3], at: 3) }
    #expect(bytes == [0, 0, 0, 1, 2, 3])
    bytes.withMutableRawBytes { $0.copy([], at: 6) }
  }

  @Test(arguments: 0..<UInt64(50)) func `moves as if through another buffer`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let before = (0..<40).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    let from = Int.random(in: 0...20, using: &random)
    let count = Int.random(in: 0...20, using: &random)
    let target = Int.random(in: 0...20, using: &random)
    var bytes = before
    bytes.withMutableRawBytes { $0.copyWithin(from: from..<from + count, to: target) }
    var expected = before
    expected.replaceSubrange(target..<target + count, with: before[from..<from + count])
    #expect(bytes == expected)
  }

  @Test func `refuses to write outside`() async {
    await #expect(processExitsWith: .failure) {
      var bytes = [UInt8](repeating: 0, count: 8)
      bytes.withMutableRawBytes { $0.store(1 as UInt32, at: 5) }
    }
    await #expect(processExitsWith: .failure) {
      var bytes = [UInt8](repeating: 0, count: 8)
      bytes.withMutableRawBytes { $0.copy([1, 2, 3], at: 6) }
    }
    await #expect(processExitsWith: .failure) {
      var bytes = [UInt8](repeating: 0, count: 8)
      bytes.withMutableRawBytes { $0.zero(4..<9) }
    }
    await #expect(processExitsWith: .failure) {
      var bytes = [UInt8](repeating: 0, count: 8)
      bytes.withMutableRawBytes { $0.copyWithin(from: 0..<6, to: 3) }
    }
  }
}
