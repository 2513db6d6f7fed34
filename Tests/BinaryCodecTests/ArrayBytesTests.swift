import BinaryCodec
import Testing

@Suite struct ArrayBytesTests {
  private struct Refusal: Error {}

  @Test func `lends its bytes`() {
    let bytes: [UInt8] = [1, 2, 3]
    #expect(bytes.rawBytes.byteCount == 3)
    #expect([UInt8]().rawBytes.byteCount == 0)
  }

  @Test func `writes to itself and not to its copies`() throws {
    var bytes: [UInt8] = [1, 2, 3]
    let copy = bytes
    let count = bytes.withMutableRawBytes { span in
      span.store(9 as UInt8, at: 0)
      return span.byteCount
    }
    #expect(count == 3)
    #expect(bytes == [9, 2, 3])
    #expect(copy == [1, 2, 3])
  }

  @Test func `passes an error on`() {
    var bytes: [UInt8] = [1]
    #expect(throws: Refusal.self) {
      try bytes.withMutableRawBytes { (_) throws(Refusal) in throw Refusal() }
    }
  }
}
