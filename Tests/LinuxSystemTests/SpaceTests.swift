import FToolTestSupport
import Glibc
import SystemPackage
import Testing

@testable import LinuxSystem

@Suite struct SpaceTests {
  let scratch: Scratch
  init() throws { scratch = try Scratch() }

  /// Data in the second of four 64 KiB blocks.
  private func sparse() throws -> OwnedDescriptor {
    let path = try scratch.directory.sparseFile("sparse", byteCount: 4 << 16)
    let file = try OwnedDescriptor.open(path, access: .readWrite)
    let data = AlignedBuffer([UInt8](repeating: 1, count: 1 << 16))
    try file.write(data.bytes, range: 0..<1 << 16, at: 1 << 16)
    return file
  }

  @Test func `finds data and holes`() throws {
    let file = try sparse()
    #expect(file.nextData(from: 0) == 1 << 16)
    #expect(file.nextHole(from: 0) == 0)
    #expect(file.nextHole(from: 70_000) == 2 << 16)
    #expect(file.nextData(from: 70_000) == 70_000)
    #expect(file.nextData(from: 2 << 16) == nil)
    #expect(file.nextHole(from: 4 << 16) == nil)
    #expect(try file.allocatedByteCount == 1 << 16)
  }

  @Test func `what cannot tell holes says data`() throws {
    let pipe = Pipe()
    #expect(pipe.reader.nextData(from: 5) == 5)
    #expect(pipe.reader.nextHole(from: 5) == nil)
  }

  @Test func `gives space back`() throws {
    let file = try sparse()
    try file.punchHole(1 << 16..<2 << 16)
    #expect(try file.allocatedByteCount == 0)
    #expect(try file.size == 4 << 16)
    #expect(file.nextData(from: 0) == nil)
    try file.punchHole(5..<5)
  }

  @Test func `zeroes a range, at whatever offset`() throws {
    let file = try sparse()
    try file.zeroRange((1 << 16) + 7..<(1 << 16) + 5_001)
    var buffer = AlignedBuffer(byteCount: 1 << 16)
    var span = buffer.mutableBytes
    #expect(try file.read(into: &span, range: 0..<1 << 16, at: 1 << 16) == 1 << 16)
    let expected = (0..<1 << 16).map { (7..<5_001).contains($0) ? UInt8(0) : 1 }
    #expect(buffer.array == expected)
    #expect(try file.size == 4 << 16)
  }

  @Test func `says when it cannot`() throws {
    let pipe = Pipe()
    #expect(throws: SystemCallError.self) { try pipe.writer.punchHole(0..<512) }
    let error = SystemCallError(call: "fallocate", subject: "x", errno: .notSupported)
    #expect(error.meansUnsupported)
  }

  @Test func `makes room`() throws {
    let file = try sparse()
    try file.allocate(0..<4 << 16)
    #expect(try file.allocatedByteCount >= 4 << 16)
    file.advise(.sequential)
    file.advise(.dontNeed, range: 0..<4096)
  }

  @Test func `direct transfers suit their alignment`() throws {
    let path = try scratch.directory.sparseFile("direct", byteCount: 3 * 4096 + 100)
    var file = try OwnedDescriptor.open(path, access: .readWrite)
    do throws(SystemCallError) {
      try file.becomeDirect()
    } catch {
      return  // a filesystem that has no such thing
    }
    let isDirect = file.isDirect
    #expect(isDirect)
    let alignment = try file.directAlignment
    #expect(alignment >= 512 && alignment <= 4096 && alignment.nonzeroBitCount == 1)
    var random = SeededGenerator(seed: 3)
    let bytes = random.bytes(4096)
    let source = AlignedBuffer(bytes)
    try file.write(source.bytes, range: 0..<4096, at: 4096)
    var target = AlignedBuffer(byteCount: 4 * 4096)
    var span = target.mutableBytes
    // The end of the file is no whole sector: that is no error.
    #expect(try file.read(into: &span, range: 0..<4 * 4096, at: 0) == 3 * 4096 + 100)
    #expect(Array(target.array[4096..<8192]) == bytes)
  }
}
