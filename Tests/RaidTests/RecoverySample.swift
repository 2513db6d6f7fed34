import BlockStorage
import ErasureCoding
import FToolTestSupport
import LinuxSystem
import Raid
import RaidGeometry

/// An array laid out over devices in memory by the arithmetic alone, without the engine.
struct RecoverySample {
  let shape: ArrayShape
  let content: [UInt8]
  let dataOffset: Int
  /// By slot.
  let members: [MemoryDevice]

  /// - Parameter padding: bytes behind the data of each member.
  init(
    _ level: RaidLevel, layout: UInt32, chunk: Int, slots: Int, content: [UInt8],
    dataOffset: Int = 1 << 20, padding: Int = 0
  ) throws {
    // As much of each member as the content needs.
    func shape(_ memberByteCount: Int) throws -> ArrayShape {
      try ArrayShape(
        level: level, layout: layout, chunkByteCount: chunk, slotCount: slots,
        memberByteCounts: Array(repeating: memberByteCount, count: slots))
    }
    let unit = max(chunk, 65536)
    var size = unit
    while try shape(size).byteCount < content.count { size += unit }
    let shape = try shape(size)
    var bytes = Array(
      repeating: [UInt8](repeating: 0, count: dataOffset + size + padding), count: slots)
    switch shape.placement {
    case .copies(let copies):
      var places: [CopyPlacement.Place] = []
      var offset = 0
      while offset < content.count {
        places.removeAll()
        let count = min(copies.locate(offset, into: &places), content.count - offset)
        for place in places {
          let start = dataOffset + place.offset
          bytes[place.slot].replaceSubrange(
            start..<start + count, with: content[offset..<offset + count])
        }
        offset += count
      }
    case .parity(let parity):
      let code = ErasureCode(parityCount: parity.parityCount)
      for row in 0..<parity.rowCount {
        let pattern = parity.pattern(ofRow: row)
        let data = (0..<parity.dataColumnCount).flatMap { column -> [UInt8] in
          let start = row * parity.rowByteCount + column * chunk
          let part =
            start < content.count ? Array(content[start..<min(start + chunk, content.count)]) : []
          return part + [UInt8](repeating: 0, count: chunk - part.count)
        }
        let plan = code.encoding(
          positions: pattern.codePositions, parities: Array(0..<parity.parityCount))
        var buffer = AlignedBuffer(
          data + [UInt8](repeating: 0, count: parity.parityCount * chunk))
        var span = buffer.mutableBytes
        let sources = (0..<parity.dataColumnCount).map { $0 * chunk }
        let outputs = (0..<parity.parityCount).map { (parity.dataColumnCount + $0) * chunk }
        plan.apply(in: &span, sources: sources.span, outputs: outputs.span, byteCount: chunk)
        let columns = buffer.array
        for (index, slot) in (pattern.dataSlots + pattern.paritySlots).enumerated() {
          let start = dataOffset + row * chunk
          bytes[slot].replaceSubrange(
            start..<start + chunk, with: columns[index * chunk..<(index + 1) * chunk])
        }
      }
    }
    self.shape = shape
    self.content = content
    self.dataOffset = dataOffset
    members = bytes.enumerated().map { MemoryDevice($1, name: "slot\($0)") }
  }

  /// The members in another order, and which slot each was.
  func shuffled(seed: UInt64) -> (devices: [MemoryDevice], slots: [Int]) {
    var random = SeededGenerator(seed: seed)
    let slots = members.indices.shuffled(using: &random)
    return (slots.map { members[$0] }, slots)
  }

  /// What a candidate reads, through the engine; as many bytes as the content has.
  func content(
    of candidate: RecoveryCandidate, _ devices: [(any BlockDevice)?]
  ) throws -> [UInt8] {
    let array = try RaidArray.assumed(
      shape: candidate.shape, devices: candidate.order.map { $0.flatMap { devices[$0] } },
      dataOffsets: candidate.dataOffsets)
    return try array.bytes(0..<min(content.count, array.byteCount))
  }
}

/// Contents of arrays: what people keep on them.
enum RecoveryContent {
  /// An ext4 filesystem with folders and files of text; nil without e2fsprogs.
  static func ext4(byteCount: Int, seed: UInt64 = 1) throws -> [UInt8]? {
    guard let tool = ["/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"].first(where: { Files.exists($0) })
    else { return nil }
    let scratch = try ScratchDirectory()
    let tree = scratch.path("tree")
    try Files.makeDirectory(tree)
    var random = SeededGenerator(seed: seed)
    for folder in 0..<24 {
      try Files.makeDirectory("\(tree)/folder\(folder)")
      for file in 0..<4 {
        try scratch.file(
          "tree/folder\(folder)/file\(file)",
          text(byteCount: Int.random(in: 1000...60_000, using: &random), using: &random))
      }
    }
    let image = try scratch.sparseFile("image", byteCount: byteCount)
    let outcome = try BuiltTool.run(
      program: tool, ["-q", "-F", "-d", tree, image])
    guard outcome.status == 0 else { return nil }
    return try Files.contents(of: image, limit: byteCount)
  }

  /// A tar archive of texts.
  static func tar(byteCount: Int, seed: UInt64 = 2) -> [UInt8] {
    var random = SeededGenerator(seed: seed)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(byteCount + 100_000)
    var number = 0
    while bytes.count < byteCount {
      let body = text(byteCount: Int.random(in: 500...90_000, using: &random), using: &random)
      bytes += header(name: "folder/file\(number).txt", byteCount: body.count) + body
      bytes += [UInt8](repeating: 0, count: (512 - body.count % 512) % 512)
      number += 1
    }
    return Array(bytes.prefix(byteCount))
  }

  private static func header(name: String, byteCount: Int) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, at offset: Int) {
      header.replaceSubrange(offset..<offset + text.utf8.count, with: Array(text.utf8))
    }
    func octal(_ value: Int, _ digits: Int) -> String {
      let text = String(value, radix: 8)
      return String(repeating: "0", count: digits - text.count) + text
    }
    put(name, at: 0)
    put(octal(0o644, 7), at: 100)
    put(octal(0, 7), at: 108)
    put(octal(0, 7), at: 116)
    put(octal(byteCount, 11), at: 124)
    put(octal(1_700_000_000, 11), at: 136)
    put("        ", at: 148)
    put("0", at: 156)
    put("ustar\u{0}00", at: 257)
    put(octal(header.reduce(0) { $0 + Int($1) }, 6) + "\u{0} ", at: 148)
    return header
  }

  /// Lines of words, of which each file has its own favourites.
  static func text(byteCount: Int, using random: inout SeededGenerator) -> [UInt8] {
    let syllables = ["ka", "lo", "mi", "ter", "an", "dus", "pre", "vo", "shi", "rem", "quo", "bel"]
    let words = (0..<60).map { _ in
      (0..<Int.random(in: 1...4, using: &random)).map { _ in
        syllables[Int.random(in: 0..<syllables.count, using: &random)]
      }.joined()
    }
    var bytes: [UInt8] = []
    while bytes.count < byteCount {
      bytes += words[Int.random(in: 0..<words.count, using: &random)].utf8
      bytes.append(Int.random(in: 0..<12, using: &random) == 0 ? 10 : 32)
    }
    return Array(bytes.prefix(byteCount))
  }
}
