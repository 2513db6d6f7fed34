import BinaryCodec
import CheckpointFormat
import Compression
import FToolTestSupport
import Glibc
import LinuxSystem
import SystemPackage
import Testing

@Suite(.serialized) struct WriterFailureTests {
  /// The threads of this process that are a writer's.
  private static func packerCount() throws -> Int {
    try Files.list("/proc/self/task").filter { task in
      let name = (try? Files.contents(of: "/proc/self/task/\(task)/comm")) ?? []
      return String(decoding: name, as: UTF8.self).hasPrefix("pack ")
    }.count
  }

  private static func errno(_ error: ImageError?) -> Errno? {
    if case .system(let error) = error { error.errno } else { nil }
  }

  /// Writes blocks until something is thrown, at most so many; then finishes. Every other one is left to a worker.
  private static func fill(_ writer: ImageWriter, blockCount: Int) -> [ImageError] {
    var errors: [ImageError] = []
    do throws(ImageError) {
      try writer.writeState([1, 2, 3])
      for number in 0..<blockCount {
        if number % 2 == 1 {
          try writer.writeBlock(space: 1) { block in
            _ = block.append(address: UInt64(number) << 18, pageCount: 64)
          }
          continue
        }
        var block = try writer.borrow()
        _ = block.append(address: UInt64(number) << 18, pageCount: 64)
        try writer.write(block, space: 1)
      }
      try writer.waitUntilFilled()
    } catch {
      errors.append(error)
    }
    do throws(ImageError) { _ = try writer.finish() } catch { errors.append(error) }
    return errors
  }

  @Test func `a disk that is full is said at once`() throws {
    do throws(ImageError) {
      let descriptor: OwnedDescriptor
      do throws(SystemCallError) {
        descriptor = try OwnedDescriptor.open("/dev/full", access: .writeOnly)
      } catch {
        throw .system(error)
      }
      _ = try ImageWriter(descriptor)
      Issue.record("nothing was thrown")
    } catch {
      #expect(Self.errno(error) == .noSpace)
    }
  }

  @Test(arguments: [1, 2, 4], builtInSettings)
  func `a reader that goes away is said at the next call and at the end`(
    workers: Int, codec: CodecSetting
  ) throws {
    signal(SIGPIPE, SIG_IGN)
    var ends: [CInt] = [0, 0]
    #expect(pipe(&ends) == 0)
    let writer = try ImageWriter(
      OwnedDescriptor(owning: ends[1], name: "pipe"), codec: codec, workers: workers)
    close(ends[0])
    let errors = Self.fill(writer, blockCount: 1000)
    #expect(errors.map { Self.errno($0) }.allSatisfy { $0 == .brokenPipe })
    #expect(!errors.isEmpty)
  }

  @Test(arguments: [1, 3], builtInSettings)
  func `a disk that fills up on the way is said at the next call and at the end`(
    workers: Int, codec: CodecSetting
  ) throws {
    let scratch = try ScratchDirectory()
    let path = try scratch.file("image", [])
    let number = open(path, O_WRONLY)
    let writer = try ImageWriter(
      OwnedDescriptor(owning: number, name: path), codec: codec, workers: workers)
    // From here on the same descriptor is a full disk.
    let full = open("/dev/full", O_WRONLY)
    #expect(dup2(full, number) == number)
    close(full)
    let errors = Self.fill(writer, blockCount: 100)
    #expect(errors.count == 2)
    #expect(errors.allSatisfy { Self.errno($0) == .noSpace })
    // What was written is no image.
    let reader = try ImageReader(OwnedDescriptor.open(path, access: .readOnly))
    #expect(throws: ImageError.cutShort(offset: 64)) { try reader.verify() }
  }

  @Test func `a writer that nobody finishes leaves no thread`() throws {
    let scratch = try ScratchDirectory()
    for round in 0..<20 {
      let writer = try ImageWriter(
        OwnedDescriptor.open(
          scratch.path("image-\(round)"), access: .readWrite, options: [.create]), workers: 3)
      try writer.writeState([1])
      for number in 0..<(round % 9) {
        var block = try writer.borrow()
        _ = block.append(address: UInt64(number) << 18, pageCount: 64)
        try writer.write(block, space: 1)
      }
      if round % 2 == 0 { _ = try writer.borrow() }
      if round % 3 == 0 { try writer.writeBlock(space: 1) { _ in Machine.sleep(seconds: 0.002) } }
    }
    #expect(try Self.packerCount() == 0)
  }
}
