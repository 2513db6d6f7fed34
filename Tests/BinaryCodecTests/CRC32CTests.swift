import Testing

@testable import BinaryCodec

/// Bit by bit, from the definition.
private func slowRegister(after bytes: some Sequence<UInt8>, from register: UInt32) -> UInt32 {
  bytes.reduce(register) { register, byte in
    (0..<8).reduce(register ^ UInt32(byte)) { register, _ in
      register >> 1 ^ (register & 1 == 1 ? 0x82f6_3b78 : 0)
    }
  }
}

private func slowSum(
  of block: ArraySlice<UInt8>, number: UInt64, prefixRegister: UInt32
) -> UInt32 {
  if block.allSatisfy({ $0 == 0 }) { return 0 }
  let numberBytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  var register = slowRegister(after: numberBytes, from: prefixRegister)
  register = slowRegister(after: block, from: register)
  register = slowRegister(after: repeatElement(0, count: 4096 - block.count), from: register)
  return max(1, ~register)
}

// What #expect expands to cannot take spans, so these take arrays.

private func checksum(of bytes: [UInt8]) -> UInt32 { crc32c(bytes.span.bytes) }

private func isZero(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
  isZero(bytes.span.bytes, range: range)
}

private func firstBadBlock(
  of bytes: [UInt8], range: Range<Int>, firstBlock: UInt64, prefixRegister: UInt32,
  expected: [UInt32], at index: Int
) -> Int? {
  firstBadBlock(
    of: bytes.span.bytes, range: range, firstBlock: firstBlock, prefixRegister: prefixRegister,
    expected: expected.span, at: index)
}

@Suite struct CRC32CTests {
  @Test func `gives the published values`() {
    let read: [UInt8] = [
      0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0,
      0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
    ]
    // RFC 3720, appendix B.4
    #expect(checksum(of: [UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
    #expect(checksum(of: [UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
    #expect(checksum(of: Array(UInt8(0)..<32)) == 0x46dd_794e)
    #expect(checksum(of: Array(Array(UInt8(0)..<32).reversed())) == 0x113f_db5c)
    #expect(checksum(of: read) == 0xd996_3a56)
    #expect(checksum(of: Array("123456789".utf8)) == 0xe306_9283)
    #expect(checksum(of: [UInt8]()) == 0)
  }

  @Test(arguments: ChecksumLevel.available)
  func `agrees with the definition at every length`(level: ChecksumLevel) {
    var random = SplitMix(seed: 1)
    let bytes = random.bytes(20_000)
    let lengths =
      Array(0...700) + [1000, 2047, 2048, 4079, 4080, 4081, 4095, 4096, 8159, 8161, 12_345, 19_993]
    for length in lengths {
      let start = length % 7
      let register = UInt32(truncatingIfNeeded: random.next())
      let expected = slowRegister(after: bytes[start..<start + length], from: register)
      let span = bytes.span.bytes.extracting(start..<start + length)
      let result = level.register(after: span, from: register)
      #expect(result == expected, "length \(length)")
    }
  }

  @Test(arguments: ChecksumLevel.available)
  func `feeds a number as eight bytes, lowest first`(level: ChecksumLevel) {
    let bytes: [UInt8] = [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]
    for register: UInt32 in [0, ~0, 0x1234_5678] {
      #expect(
        level.register(after: 0x1122_3344_5566_7788, from: register)
          == slowRegister(after: bytes, from: register))
    }
  }

  @Test(arguments: 0..<UInt64(20))
  func `does not care where the bytes are cut`(seed: UInt64) {
    var random = SplitMix(seed: seed)
    let bytes = random.bytes(Int.random(in: 0...9000, using: &random))
    var running = CRC32C()
    var offset = 0
    while offset < bytes.count {
      let end = Int.random(in: offset...bytes.count, using: &random)
      running.update(bytes.span.bytes.extracting(offset..<end))
      running = CRC32C(register: running.register)
      offset = end
    }
    #expect(running.value == checksum(of: bytes))
  }
}

@Suite struct BlockSumsTests {
  /// Some random blocks, some of zeros, some with one byte that is not.
  static func content(blockCount: Int, lastByteCount: Int, random: inout SplitMix) -> [UInt8] {
    var bytes = random.bytes(blockCount * 4096)
    for block in 0..<blockCount where !random.next().isMultiple(of: 3) {
      let range = block * 4096..<(block + 1) * 4096
      for index in range { bytes[index] = 0 }
      if Bool.random(using: &random) { bytes[range.randomElement(using: &random) ?? 0] = 1 }
    }
    return Array(bytes.dropLast(4096 - lastByteCount))
  }

  @Test(arguments: 0..<UInt64(12))
  func `agrees with the definition`(seed: UInt64) {
    var random = SplitMix(seed: seed)
    let blockCount = Int.random(in: 1...40, using: &random)
    let lastByteCount = seed.isMultiple(of: 2) ? 4096 : Int.random(in: 1..<4096, using: &random)
    let shift = Int.random(in: 0..<70, using: &random)
    let content = Self.content(
      blockCount: blockCount, lastByteCount: lastByteCount, random: &random)
    let buffer = random.bytes(shift) + content + random.bytes(9)
    let range = shift..<shift + content.count
    let firstBlock = random.next()
    let prefix = UInt32(truncatingIfNeeded: random.next())
    let expected = (0..<blockCount).map { block in
      slowSum(
        of: content[block * 4096..<min(content.count, (block + 1) * 4096)],
        number: firstBlock &+ UInt64(block), prefixRegister: prefix)
    }
    for level in ChecksumLevel.available {
      let run = BlockRun(
        bytes: buffer.span.bytes.extracting(range), firstBlock: firstBlock, prefixRegister: prefix)
      var group = [16 of UInt32](repeating: 0)
      for start in stride(from: 0, to: blockCount, by: 16) {
        let count = run.sums(from: start, into: &group, level: level)
        #expect((0..<count).map { group[$0] } == Array(expected[start..<start + count]))
      }
    }
    var sums = [UInt32](repeating: 0xdead, count: blockCount + 3)
    var span = sums.mutableSpan
    blockSums(
      of: buffer.span.bytes, range: range, firstBlock: firstBlock, prefixRegister: prefix,
      into: &span, at: 2)
    #expect(sums == [0xdead, 0xdead] + expected + [0xdead])
    #expect(
      firstBadBlock(
        of: buffer, range: range, firstBlock: firstBlock, prefixRegister: prefix,
        expected: sums, at: 2) == nil)
    let bad = Int.random(in: 0..<blockCount, using: &random)
    sums[2 + bad] ^= 1
    sums[2 + blockCount - 1] ^= 2
    #expect(
      firstBadBlock(
        of: buffer, range: range, firstBlock: firstBlock, prefixRegister: prefix,
        expected: sums, at: 2) == bad)
  }

  /// The CRC is a bijection of the last four bytes: choose them so that it comes out as 0.
  @Test func `stores a sum of zero as one`() {
    var block = [UInt8](repeating: 7, count: 4096)
    let numbered = slowRegister(after: [5, 0, 0, 0, 0, 0, 0, 0], from: 99)
    let before = slowRegister(after: block[0..<4092], from: numbered)
    // Run the register backwards over 32 bits, from the end that is wanted.
    var wanted: UInt32 = ~0
    for _ in 0..<32 {
      let falls = wanted & 0x8000_0000 != 0
      wanted = (falls ? wanted ^ 0x82f6_3b78 : wanted) << 1 | (falls ? 1 : 0)
    }
    for byte in 0..<4 {
      block[4092 + byte] = UInt8(truncatingIfNeeded: (wanted ^ before) >> (8 * byte))
    }
    #expect(slowRegister(after: block, from: numbered) == ~0)
    var sums = [UInt32](repeating: 0, count: 1)
    var span = sums.mutableSpan
    blockSums(
      of: block.span.bytes, range: 0..<4096, firstBlock: 5, prefixRegister: 99, into: &span, at: 0)
    #expect(sums == [1])
  }

  @Test func `finds the one byte that is not zero`() {
    var bytes = [UInt8](repeating: 0, count: 300)
    for length in [0, 1, 63, 64, 65, 200] {
      #expect(isZero(bytes, 11..<11 + length))
      for position in 11..<11 + length {
        bytes[position] = 0x80
        #expect(!isZero(bytes, 11..<11 + length))
        bytes[position] = 0
      }
      bytes[10] = 1
      bytes[11 + length] = 1
      #expect(isZero(bytes, 11..<11 + length))
      bytes[10] = 0
      bytes[11 + length] = 0
    }
  }
}
