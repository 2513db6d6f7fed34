import FToolTestSupport
import Testing

@testable import Raid

@Suite struct RescueMapTests {
  private func text(_ map: RescueMap, position: Int? = nil, array: String = "abc") -> String {
    var bytes: [UInt8] = []
    map.write(comments: ["One", "two"], array: array, position: position) { bytes += $0 }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func read(
    _ text: String, array: String = "abc", byteCount: Int, step: Int = 7
  ) throws -> RescueMap {
    var reader = RescueMapReader()
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: step) {
      try reader.feed(Array(bytes[start..<min(bytes.count, start + step)]))
    }
    return try reader.finish(ofArray: array, byteCount: byteCount)
  }

  @Test func `is written as ddrescue writes it`() {
    var map = RescueMap()
    map.append(0x117000, .rescued)
    map.append(0x117200, .lost)
    map.append(0x118000, .unscraped)
    map.append(0x1_2345_6000, .untried)
    #expect(
      text(map, position: 0x118000) == """
        # One
        # two
        # Array: abc
        # current_pos  current_status  current_pass
        0x00118000     ?               1
        #      pos        size  status
        0x00000000  0x00117000  +
        0x00117000  0x00000200  -
        0x00117200  0x00000E00  /
        0x00118000  0x12333E000  ?

        """)
  }

  @Test(arguments: 0..<UInt64(40)) func `is read as it was written`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var map = RescueMap()
    var end = 0
    for _ in 0..<Int.random(in: 1...300, using: &random) {
      end += Int.random(in: 1...1 << 40, using: &random)
      map.append(end, RescueMap.Status.allCases.randomElement(using: &random)!)
    }
    let step = Int.random(in: 1...5000, using: &random)
    #expect(try read(text(map), byteCount: end, step: step) == map)
    for _ in 0..<100 {
      let offset = Int.random(in: 0..<end, using: &random)
      #expect(map[map.index(of: offset)].range.contains(offset))
    }
  }

  @Test func `is read as ddrescue and people write it`() throws {
    let map = try read(
      """
      # Mapfile. Created by GNU ddrescue version 1.27
      # Array: abc
      0x00120000     /               2   # a comment
      \t0  010  +
      8 0X8 -\r
      0x10\t16  ?
      """, byteCount: 32)
    #expect((0..<map.count).map { map[$0].range } == [0..<8, 8..<16, 16..<32])
    #expect((0..<map.count).map { map[$0].status } == [.rescued, .lost, .untried])
  }

  @Test(arguments: [
    ("", RescueMapError.malformed(line: 1, .missing)),
    ("# Array: abc\n0 + 1\n", .malformed(line: 3, .missing)),
    ("# Array: abc\n0 + 1\n0 8 +\n9 7 -\n", .malformed(line: 4, .gap)),
    ("# Array: abc\n0 + 1\n0 8 +\n7 9 -\n", .malformed(line: 4, .gap)),
    ("# Array: abc\n0 + 1\n0 16\n", .malformed(line: 3, .words)),
    ("# Array: abc\n0 + 1\n0 16 x\n", .malformed(line: 3, .status)),
    ("# Array: abc\n0 + 1\n0 16 ++\n", .malformed(line: 3, .status)),
    ("# Array: abc\n0 + 1\n0 -16 +\n", .malformed(line: 3, .number)),
    ("# Array: abc\n0 + 1\n0 +16 +\n", .malformed(line: 3, .number)),
    ("# Array: abc\n0 + 1\n0 0x +\n", .malformed(line: 3, .number)),
    ("# Array: abc\n0 + 1\n0 99999999999999999999999 +\n", .malformed(line: 3, .number)),
    (
      "# Array: abc\n0 + 1\n0 0x0FFFFFFFFFFFFFFF +\n0x0FFFFFFFFFFFFFFF 0x0FFFFFFFFFFFFFFF -\n",
      .malformed(line: 4, .number)
    ),
    ("# Array: abc\n0 x 1\n0 16 +\n", .malformed(line: 2, .status)),
    ("# Array: abc\nhello world\n", .malformed(line: 2, .number)),
    ("0 + 1\n0 16 +\n", .unnamed),
    ("# Array: abd\n0 + 1\n0 16 +\n", .foreign("abd")),
    ("# Array: abc\n0 + 1\n0 15 +\n", .otherSize(has: 15, needs: 16)),
  ])
  func `what is no map of the array is refused`(_ text: String, _ error: RescueMapError) {
    #expect(throws: error) { try read(text, byteCount: 16) }
  }

  @Test func `a line without an end is refused before it fills the memory`() {
    var reader = RescueMapReader()
    #expect(throws: RescueMapError.malformed(line: 1, .tooLong)) {
      for _ in 0..<1000 { try reader.feed([UInt8](repeating: 0x30, count: 4096)) }
    }
  }

  @Test(arguments: 0..<UInt64(200)) func `any bytes are a map or are refused`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let letters = Array("0x19aF+-?*/#\n\n  \tArray: abc".utf8)
    let bytes = (0..<400).map { _ in letters.randomElement(using: &random)! }
    _ = try? read(String(decoding: bytes, as: UTF8.self), byteCount: 16)
  }

  @Test(arguments: 0..<UInt64(40)) func `a pass changes what it notes and nothing else`(
    seed: UInt64
  ) {
    var random = SeededGenerator(seed: seed)
    var model = (0..<200).map { _ in RescueMap.Status.allCases.randomElement(using: &random)! }
    var map = RescueMap()
    for (index, status) in model.enumerated() { map.append(index + 1, status) }
    var pass = RescuePass(over: map)
    var at = 0
    while at < 200 {
      let start = min(200, at + Int.random(in: 0...9, using: &random))
      let end = min(200, start + Int.random(in: 1...9, using: &random))
      guard start < end else { break }
      let status: RescueMap.Status = [.rescued, .lost, .unscraped].randomElement(using: &random)!
      pass.note(start..<end, status)
      for index in start..<end where !(status == .lost && model[index] == .unscraped) {
        model[index] = status
      }
      at = end
      #expect((0..<200).map { pass.map[pass.map.index(of: $0)].status } == model)
    }
    let found = pass.map.next([.lost, .unscraped, .untried, .untrimmed], from: 0, limit: 200)
    #expect(found?.lowerBound == model.firstIndex { $0 != .rescued })
  }
}
