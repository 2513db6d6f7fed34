import BinaryCodec
import Testing

@Suite struct RawSpanFieldsTests {
  @Test func `reads little-endian integers at any alignment`() {
    let bytes: [UInt8] = [0xff, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x88]
    let span = bytes.rawBytes
    #expect(span.integer(at: 0, as: UInt8.self) == 0xff)
    #expect(span.integer(at: 0, as: Int8.self) == -1)
    #expect(span.integer(at: 1, as: UInt16.self) == 0x0201)
    #expect(span.integer(at: 1, as: UInt32.self) == 0x0403_0201)
    #expect(span.integer(at: 1, as: UInt64.self) == 0x8807_0605_0403_0201)
    #expect(span.integer(at: 1, as: Int64.self) < 0)
  }

  @Test func `refuses what runs over the end`() async {
    await #expect(processExitsWith: .failure) {
      let bytes = [UInt8](repeating: 0, count: 7)
      _ = bytes.rawBytes.integer(at: 0, as: UInt64.self)
    }
    await #expect(processExitsWith: .failure) {
      let bytes = [UInt8](repeating: 0, count: 8)
      _ = bytes.rawBytes.integer(at: -1, as: UInt8.self)
    }
    await #expect(processExitsWith: .failure) {
      let bytes = [UInt8](repeating: 0, count: 8)
      _ = bytes.rawBytes.integer(at: Int.max, as: UInt32.self)
    }
  }

  @Test func `copies ranges`() {
    let bytes = [UInt8](0..<32)
    #expect(bytes.rawBytes.array(3..<9) == [3, 4, 5, 6, 7, 8])
    #expect(bytes.rawBytes.array(32..<32) == [])
    #expect(bytes.rawBytes.sub(8..<16).array() == [UInt8](8..<16))
  }

  @Test(arguments: [0, 1, 7, 8, 9, 63, 64, 65]) func `sees each set bit`(count: Int) {
    var bytes = [UInt8](repeating: 0, count: count)
    #expect(allZero(bytes))
    for bit in 0..<8 * count {
      bytes[bit / 8] = 1 << UInt8(bit % 8)
      #expect(!allZero(bytes))
      #expect(allZero(bytes, 0..<bit / 8))
      #expect(allZero(bytes, bit / 8 + 1..<count))
      bytes[bit / 8] = 0
    }
  }

  @Test(arguments: [0, 1, 8, 15, 33]) func `compares bytes`(count: Int) {
    let bytes = (0..<count).map { UInt8($0) }
    #expect(equal(bytes, bytes))
    #expect(!equal(bytes, bytes + [0]))
    for index in 0..<count {
      var other = bytes
      other[index] ^= 0x80
      #expect(!equal(bytes, other))
    }
  }

  // A span cannot be handed to #expect, which keeps what it checks.

  private func allZero(_ bytes: [UInt8]) -> Bool { bytes.rawBytes.allZero }

  private func allZero(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
    bytes.rawBytes.allZero(range)
  }

  private func equal(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    one.rawBytes.equals(other.rawBytes)
  }
}
