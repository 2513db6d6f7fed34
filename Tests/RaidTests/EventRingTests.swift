import BinaryCodec
import BlockStorage
import FToolTestSupport
import LinuxSystem
import Testing

@testable import Raid

/// The ring on one member, and the histories of several as one.
@Suite struct EventRingTests {
  static let arrayID = identifier(7)

  static func identifier(_ seed: UInt64) -> Identifier {
    var random = SeededGenerator(seed: seed)
    return .random(using: &random)
  }

  /// CRC-32C, bit by bit.
  private static func register(_ bytes: [UInt8]) -> UInt32 {
    bytes.reduce(.max) { register, byte in
      (0..<8).reduce(register ^ UInt32(byte)) { value, _ in
        value & 1 != 0 ? value >> 1 ^ 0x82f6_3b78 : value >> 1
      }
    }
  }

  private func event(_ sequence: UInt64, _ random: inout SeededGenerator) -> ArrayEvent {
    var event = ArrayEvent(
      .init(rawValue: UInt32.random(in: 1...20, using: &random)),
      cause: UInt32.random(in: 0...9, using: &random),
      slot: Bool.random(using: &random) ? nil : Int.random(in: 0...300, using: &random),
      counts: .init(
        Int.random(in: 0...Int.max, using: &random), 2, Int.random(in: 0...9, using: &random), 4),
      at: (UInt64.random(in: 0...(.max), using: &random), 999_999))
    event.sequence = sequence
    event.memberID = .random(using: &random)
    event.memberName = String(repeating: "ä/", count: Int.random(in: 0...49, using: &random))
    return event
  }

  private func ring(byteCount: Int = 64 << 10) throws -> (EventRing, MemoryDevice) {
    let device = MemoryDevice(byteCount: byteCount + 8192, name: "m")
    let ring = try #require(
      EventRing(device, region: 4096..<4096 + byteCount, arrayID: Self.arrayID))
    return (ring, device)
  }

  @Test(arguments: 0..<UInt64(50)) func `a record is read as it was written`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let one = event(UInt64.random(in: 1..<ArrayEvent.sequenceLimit, using: &random), &random)
    var block = AlignedBuffer(byteCount: 512)
    var bytes = block.mutableBytes
    bytes.fill(0..<512, with: 0xff)
    one.encode(into: &bytes, at: 256, arrayID: Self.arrayID)
    #expect(ArrayEvent(decoding: bytes.bytes, at: 256, arrayID: Self.arrayID) == one)
    #expect(ArrayEvent(decoding: bytes.bytes, at: 256, arrayID: Self.identifier(8)) == nil)
    #expect(ArrayEvent(decoding: bytes.bytes, at: 0, arrayID: Self.arrayID) == nil)
    for _ in 0..<100 {
      let bit = Int.random(in: 256 * 8..<512 * 8, using: &random)
      let byte: UInt8 = bytes.bytes.integer(at: bit / 8)
      bytes.store(byte ^ 1 << UInt8(bit % 8), at: bit / 8)
      #expect(ArrayEvent(decoding: bytes.bytes, at: 256, arrayID: Self.arrayID) == nil)
      bytes.store(byte, at: bit / 8)
    }
  }

  @Test func `a record is on disk as the page says`() throws {
    var one = ArrayEvent(
      .memberFailed, cause: 5, slot: 3, counts: .init(6, 7, 8, 9), at: (0x0102_0304, 77))
    one.sequence = 0x11
    one.memberID = Self.identifier(9)
    one.memberName = "/dev/sdb"
    let (ring, device) = try ring()
    try ring.write([one])
    let bytes = try device.bytes(4096 + 0x11 * 256..<4096 + 0x12 * 256)
    func number(_ at: Int, _ count: Int) -> Int {
      bytes[at..<at + count].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    #expect(Array(bytes[0..<4]) == Array("EVNT".utf8))
    #expect(number(24, 8) == 0x11 && number(32, 8) == 0x0102_0304 && number(40, 4) == 77)
    #expect(number(44, 4) == 6 && number(48, 4) == 5 && number(52, 4) == 3)
    #expect([72, 80, 88, 96].map { number($0, 8) } == [6, 7, 8, 9])
    #expect(number(104, 2) == 8 && Array(bytes[108..<116]) == Array("/dev/sdb".utf8))
    #expect(bytes[116...].allSatisfy { $0 == 0 })
    #expect(UInt32(number(4, 4)) == ~Self.register(Array(bytes[8...])))
  }

  @Test func `a long name keeps its end`() throws {
    var one = ArrayEvent(.memberFailed, at: (1, 0))
    one.sequence = 1
    one.memberName = String(repeating: "ö", count: 90) + "/disk.img"
    let (ring, _) = try ring()
    try ring.write([one])
    let name = try #require(ring.read().first).memberName
    #expect(one.memberName.hasSuffix(name) && name.hasSuffix("/disk.img"))
    #expect(name.utf8.count <= 148 && name.utf8.count > 140)
  }

  @Test(arguments: [1, 3, 16, 300]) func `the ring wraps, and keeps the newest`(step: Int) throws {
    var random = SeededGenerator(seed: 1)
    let (ring, device) = try ring()
    var all: [ArrayEvent] = []
    while all.count < 700 {
      let more = (0..<step).map { event(UInt64(all.count + $0 + 1), &random) }
      try ring.write(more)
      all += more
      #expect([ArrayEvent].merging([ring.read()]) == Array(all.suffix(256)))
    }
    // Nothing beside the ring was touched.
    #expect(try device.bytes(0..<4096).allSatisfy { $0 == 0 })
    #expect(try device.bytes(device.byteCount - 4096..<device.byteCount).allSatisfy { $0 == 0 })
  }

  @Test(arguments: 0..<UInt64(20)) func `a torn write costs no record but the new ones`(
    seed: UInt64
  )
    throws
  {
    var random = SeededGenerator(seed: seed)
    let (ring, device) = try ring()
    let old = (1...300).map { event(UInt64($0), &random) }
    try ring.write(old)
    let before = try device.allBytes()
    let new = (301...310).map { event(UInt64($0), &random) }
    try ring.write(new)
    let after = try device.allBytes()
    // Of every sector the old or the new content.
    var torn = before
    for start in stride(from: 0, to: before.count, by: 512) where Bool.random(using: &random) {
      torn.replaceSubrange(start..<start + 512, with: after[start..<start + 512])
    }
    let mixed = MemoryDevice(torn, name: "torn")
    let found = try #require(
      EventRing(mixed, region: 4096..<4096 + 65536, arrayID: Self.arrayID)
    ).read()
    let known = Set(found)
    #expect(known.isSubset(of: Set(old + new)))
    #expect(old.suffix(246).allSatisfy(known.contains))
  }

  @Test func `what cannot be read costs a block of records`() throws {
    var random = SeededGenerator(seed: 4)
    let (ring, device) = try ring()
    let all = (1...256).map { event(UInt64($0), &random) }
    try ring.write(all)
    let patchy = PatchyDevice(device)
    patchy.lose(4096 + 8192..<4096 + 8192 + 512)
    let bad = try #require(
      EventRing(patchy, region: 4096..<4096 + 65536, arrayID: Self.arrayID))
    #expect(Set(bad.read()) == Set(all).subtracting(all[31..<47]))
    // The next record there makes it readable.
    let next = event(256 + 32, &random)
    try bad.write([next])
    #expect(Set(bad.read()) == Set(all).subtracting(all[31..<47]).union([next]))
  }

  @Test(arguments: 0..<UInt64(30)) func `any bytes are a ring of what is whole`(seed: UInt64) throws
  {
    var random = SeededGenerator(seed: seed)
    let device = MemoryDevice(random.bytes(64 << 10), name: "hostile")
    let ring = try #require(EventRing(device, region: 0..<65536, arrayID: Self.arrayID))
    #expect(ring.read().isEmpty)
    // A record at the place of another is none.
    let one = event(5, &random)
    var block = AlignedBuffer(byteCount: 4096)
    var bytes = block.mutableBytes
    one.encode(into: &bytes, at: 256 * 6, arrayID: Self.arrayID)
    try device.write(bytes.bytes, range: 0..<4096, at: 0)
    #expect(ring.read().isEmpty)
    one.encode(into: &bytes, at: 256 * 5, arrayID: Self.arrayID)
    try device.write(bytes.bytes, range: 0..<4096, at: 0)
    #expect(ring.read() == [one])
  }

  @Test func `regions that are no ring are none`() throws {
    let device = MemoryDevice(byteCount: 4 << 20, name: "m")
    #expect(EventRing(device, region: nil, arrayID: Self.arrayID) == nil)
    #expect(EventRing(device, region: 0..<0, arrayID: Self.arrayID) == nil)
    let large = try #require(EventRing(device, region: 0..<4 << 20, arrayID: Self.arrayID))
    #expect(large.capacity == 4096)
    #expect(large.read().isEmpty)
  }

  @Test func `histories are merged: gaps are filled, and both sides of a split are kept`() {
    var random = SeededGenerator(seed: 2)
    let all = (1...20).map { event(UInt64($0), &random) }
    var other = event(15, &random)
    other.seconds = .max
    let merged = [ArrayEvent].merging([
      Array(all[0..<10].reversed()), Array(all[5..<20]).shuffled(using: &random), [other], [],
    ])
    #expect(merged.map(\.sequence) == Array(1...15) + Array(15...20).map { UInt64($0) })
    #expect(Set(merged) == Set(all + [other]))
  }
}
