import FToolTestSupport
import Glibc
import LinuxSystem
import SystemPackage
import Testing

@testable import BlockStorage

@Suite struct FileDeviceTests {
  let scratch: Scratch
  init() throws { scratch = try Scratch() }

  private func device(_ byteCount: Int, direct: Bool = false) throws -> FileDevice {
    let path = scratch.path("device \(UInt64.random(in: .min ... .max))")
    try Files.createSparse(path, size: byteCount)
    return try FileDevice.open(path, direct: direct)
  }

  @Test func `a file keeps the contract`() throws {
    #expect(try DeviceContract.violations { try device($0) } == [])
  }

  // A filesystem without O_DIRECT (an old tmpfs) has nothing to test.
  @Test(.enabled(if: DirectFiles.areAvailable, "the file system of TMPDIR has no direct access"))
  func `a direct file keeps the contract`() throws {
    let violations = try DeviceContract.violations(seed: 2) { byteCount in
      let device = try device(byteCount, direct: true)
      #expect(device.isDirect)
      return device
    }
    #expect(violations == [])
  }

  // Needs root and loop devices.
  @Test(
    .enabled(if: LoopDevice.isAvailable, "needs root and a free loop device"),
    arguments: [512, 4096], [false, true])
  func `a disk keeps the contract`(sectorByteCount: Int, direct: Bool) throws {
    let path = try scratch.directory.sparseFile("disk", byteCount: 1 << 20)
    let loop = try LoopDevice(path, sectorByteCount: sectorByteCount)
    let device = try FileDevice.open(loop.path, direct: direct, exclusive: true)
    #expect(device.kind == .block)
    #expect(device.isDirect == direct)
    #expect(device.sectorByteCount == sectorByteCount)
    #expect(try DeviceContract.violations { _ in device } == [])
    #expect(throws: SystemCallError(call: "open", subject: loop.path, errno: .resourceBusy)) {
      try FileDevice.open(loop.path, exclusive: true)
    }
  }

  @Test(.enabled(if: DirectFiles.areAvailable, "the file system of TMPDIR has no direct access"))
  func `a direct file that ends within a block is opened without`() throws {
    #expect(try !device(10_000, direct: true).isDirect)
    #expect(try device(8192, direct: true).isDirect)
  }

  @Test func `opens files and disks only`() throws {
    for path in ["/dev/null", scratch.directory.path] {
      #expect(throws: SystemCallError(call: "open", subject: path, errno: .notBlockDevice)) {
        try FileDevice.open(path)
      }
    }
    #expect(mkfifo(scratch.path("fifo"), 0o600) == 0)
    #expect(throws: SystemCallError.self) { try FileDevice.open(scratch.path("fifo")) }
    #expect(throws: SystemCallError.self) { try FileDevice.open(scratch.path("nothing")) }
  }

  @Test func `knows its file under any name`() throws {
    let device = try device(4096)
    #expect(symlink(device.name, scratch.path("link")) == 0)
    #expect(try FileDevice.open(scratch.path("link")).identity == device.identity)
    #expect(try self.device(4096).identity != device.identity)
    #expect(device.kind == .regular)
  }

  @Test func `notices that the file was cut short`() throws {
    let device = try device(1 << 20)
    try device.write([1, 2, 3], at: 500_000)
    #expect(truncate(device.name, 300_000) == 0)
    let truncated = DeviceError.truncated(offset: 300_000)
    #expect(throws: truncated) { try device.bytes(500_000..<500_003) }
    #expect(throws: truncated) { try device.bytes(299_000..<301_000) }
    #expect(throws: truncated) { try device.write([1], at: 500_000) }
    #expect(throws: truncated) { try device.write([1], at: 0) }
    #expect(throws: truncated) { try device.zero(0..<4096) }
    #expect(throws: truncated) { try device.flush() }
    #expect(try Files.status(of: device.name).byteCount == 300_000)  // nothing grew
    #expect(try device.bytes(0..<3) == [0, 0, 0])  // what is there can be read
  }

  @Test func `zeroing gives space back`() throws {
    let device = try device(1 << 20)
    try device.write([UInt8](repeating: 1, count: 1 << 20), at: 0)
    try device.flush()
    #expect(try device.allocatedByteCount >= 1 << 20)
    try device.zero(0..<1 << 20)
    #expect(try device.allocatedByteCount == 0)
    #expect(device.extent(at: 0, limit: 1 << 20) == Extent(isHole: true, range: 0..<1 << 20))
  }

  @Test func `tells holes from data`() throws {
    let device = try device(4 << 16)
    try device.write([UInt8](repeating: 1, count: 1 << 16), at: 1 << 16)
    let end = 4 << 16
    #expect(device.extent(at: 0, limit: end) == Extent(isHole: true, range: 0..<1 << 16))
    #expect(device.extent(at: 70_000, limit: end) == Extent(isHole: false, range: 70_000..<2 << 16))
    #expect(device.extent(at: 2 << 16, limit: end) == Extent(isHole: true, range: 2 << 16..<end))
    #expect(device.extent(at: 5, limit: 6) == Extent(isHole: true, range: 5..<6))
    #expect(device.extent(at: end, limit: end).range.isEmpty)
    #expect(device.extent(at: 0, limit: .max).range == 0..<1 << 16)
  }

  @Test func `a write that a file has no room for is full`() async throws {
    let path = try scratch.directory.sparseFile("small", byteCount: 1 << 20)
    await #expect(processExitsWith: .exitCode(10)) { [path = path as String] in
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 8192, rlim_max: 8192)
      setrlimit(__rlimit_resource_t(1), &limit)  // RLIMIT_FSIZE
      let device = try FileDevice.open(path)
      do throws(DeviceError) {
        try device.write([UInt8](repeating: 1, count: 10_000), at: 4096)
        exit(1)
      } catch {
        exit(error == .full(offset: 8192) ? 10 : 2)
      }
    }
  }

  @Test func `a device opened to be read refuses writes`() throws {
    let path = try scratch.directory.file("f", [UInt8](repeating: 7, count: 512))
    let device = try FileDevice.open(path, access: .readOnly)
    #expect(try device.allBytes() == [UInt8](repeating: 7, count: 512))
    #expect(throws: DeviceError.self) { try device.write([1], at: 0) }
    #expect(throws: DeviceError.self) { try device.zero(0..<512) }
    #expect(try device.allBytes() == [UInt8](repeating: 7, count: 512))
  }

  @Test func `keeps others off by locks`() throws {
    let device = try device(4096)
    let other = try FileDevice.open(device.name)
    #expect(try device.tryLock(.exclusive))
    #expect(try !other.tryLock(.shared))
    #expect(try other.lockHolder()?.mode == .exclusive)
    try device.unlock()
    #expect(try other.tryLock(.shared, range: 0..<512))
  }

  @Test(arguments: [
    Meaning(
      .ioError, .unreadable(offset: 612, errno: .ioError), .unwritable(offset: 612, errno: .ioError)
    ),
    Meaning(.noSuchAddressOrDevice, .gone(.noSuchAddressOrDevice), .gone(.noSuchAddressOrDevice)),
    Meaning(.staleNFSFileHandle, .gone(.staleNFSFileHandle), .gone(.staleNFSFileHandle)),
    Meaning(
      .operationNotSupportedByDevice, .gone(.operationNotSupportedByDevice),
      .gone(.operationNotSupportedByDevice)),
    Meaning(.noSpace, .unreadable(offset: 612, errno: .noSpace), .full(offset: 612)),
    Meaning(
      .diskQuotaExceeded, .unreadable(offset: 612, errno: .diskQuotaExceeded), .full(offset: 612)),
  ])
  func `an error says what to do`(meaning: Meaning) {
    let error = SystemCallError(
      call: "x", subject: "y", errno: meaning.errno, transferredByteCount: 100)
    #expect(DeviceError(reading: 512, error) == meaning.reading)
    #expect(DeviceError(writing: 512, error) == meaning.writing)
  }

  struct Meaning: Sendable {
    let errno: Errno
    let reading: DeviceError
    let writing: DeviceError

    init(_ errno: Errno, _ reading: DeviceError, _ writing: DeviceError) {
      self.errno = errno
      self.reading = reading
      self.writing = writing
    }
  }
}

/// A scratch directory that a suite can store: suites are copied, directories are not.
final class Scratch: Sendable {
  let directory: ScratchDirectory
  init() throws { directory = try ScratchDirectory() }
  func path(_ name: String) -> String { directory.path(name) }
}

/// Whether the filesystem of scratch directories lets files be opened past the page cache.
enum DirectFiles {
  static let areAvailable: Bool = {
    guard let scratch = try? Scratch(),
      let path = try? scratch.directory.sparseFile("probe", byteCount: 8192),
      let device = try? FileDevice.open(path, direct: true)
    else { return false }
    return device.isDirect
  }()
}
