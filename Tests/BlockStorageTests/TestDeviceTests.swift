import FToolTestSupport
import LinuxSystem
import SystemPackage
import Testing

@testable import BlockStorage

/// The devices that other tests rely on.
@Suite struct TestDeviceTests {
  @Test func `memory keeps the contract`() throws {
    #expect(try DeviceContract.violations { MemoryDevice(byteCount: $0) } == [])
  }

  @Test func `a faulty device without faults keeps the contract`() throws {
    #expect(try DeviceContract.violations { FaultyDevice(MemoryDevice(byteCount: $0)) } == [])
  }

  /// A device that lies is one the contract must see through.
  @Test func `the contract notices what is wrong`() throws {
    for effect in [FaultyDevice.Effect.ignore, .flip(byte: 0, mask: 1), .misdirect(by: 512)] {
      for kind in [FaultyDevice.Kind.read, .write] {
        let violations = try DeviceContract.violations { byteCount in
          let fault = FaultyDevice.Fault(.fromOperation(3, of: kind), effect)
          return FaultyDevice(MemoryDevice(byteCount: byteCount), plan: [fault])
        }
        #expect(!violations.isEmpty, "\(effect) of \(kind)")
      }
    }
  }

  @Test func `a power cut loses what was not flushed`() throws {
    let device = MemoryDevice(byteCount: 4096)
    try device.write([1, 2, 3], at: 100)
    try device.flush()
    try device.write([9, 9], at: 101)
    try device.zero(0..<4096)
    try device.write([8], at: 4000)
    #expect(device.unsafeWriteCount == 3)
    device.rollBack()
    #expect(try device.bytes(100..<103) == [1, 2, 3])
    #expect(try device.bytes(4000..<4001) == [0])
    #expect(device.dataByteCount == 512)
    #expect(device.flushCount == 1)
  }

  @Test(arguments: 0..<UInt64(20)) func `a power cut keeps or loses whole sectors`(seed: UInt64)
    throws
  {
    var random = SeededGenerator(seed: seed)
    let device = MemoryDevice([UInt8](repeating: 1, count: 8192))
    try device.write([UInt8](repeating: 2, count: 4096), at: 1024)
    try device.write([UInt8](repeating: 3, count: 512), at: 2048)
    device.cutPower(using: &random)
    let bytes = device.contents
    for sector in 0..<16 {
      let values = Set(bytes[sector * 512..<(sector + 1) * 512])
      #expect(values.count == 1)
      let allowed: Set<UInt8> = sector == 4 ? [1, 3] : (2..<10).contains(sector) ? [1, 2] : [1]
      #expect(values.isSubset(of: allowed))
    }
  }

  @Test func `faults come at their turn`() throws {
    let memory = MemoryDevice(byteCount: 4096)
    let error = DeviceError.unwritable(offset: 0, errno: .ioError)
    let device = FaultyDevice(
      memory,
      plan: [
        .init(.operation(1, of: .write), .fail(error)), .init(.operation(4, of: nil), .vanish),
      ])
    try device.write([1], at: 0)
    #expect(throws: error) { try device.write([2], at: 1) }
    try device.write([3], at: 2)
    _ = try device.bytes(0..<1)
    #expect(throws: DeviceError.gone(.noSuchAddressOrDevice)) { try device.flush() }
    #expect(throws: DeviceError.gone(.noSuchAddressOrDevice)) { _ = try device.bytes(0..<1) }
    #expect(memory.contents.prefix(3) == [1, 0, 3])
    #expect(device.operationCount() == 6)
    #expect(device.operationCount(.write) == 3)
    #expect(device.faultCount == 2)
    device.heal()
    try device.flush()
  }

  @Test func `faults tear, lie, flip and go astray`() throws {
    let memory = MemoryDevice(byteCount: 8192)
    let device = FaultyDevice(memory)
    let gone = DeviceError.unwritable(offset: 1024, errno: .ioError)
    device.plan(.init(.operation(0, of: .write), .tear(after: 1100, gone)))
    #expect(throws: gone) { try device.write([UInt8](repeating: 1, count: 2048), at: 0) }
    #expect(memory.contents.firstIndex(of: 0) == 1024)

    device.plan(.init(.operation(1, of: .write), .ignore))
    try device.write([5], at: 4000)
    #expect(memory.contents[4000] == 0)
    device.plan(.init(.operation(2, of: .write), .flip(byte: 1, mask: 0x80)))
    try device.write([1, 1], at: 4000)
    #expect(memory.contents[4000...4001] == [1, 0x81])
    device.plan(.init(.operation(3, of: .write), .misdirect(by: 512)))
    try device.write([7], at: 5000)
    #expect(memory.contents[5000] == 0 && memory.contents[5512] == 7)
    device.plan(.init(.touching(0..<10, by: .read), .flip(byte: 0, mask: 1)))
    #expect(try device.bytes(0..<2) == [0, 1])
    #expect(try device.bytes(10..<12) == [1, 1])
  }

  @Test func `chance is the published one`() {
    var random = SeededGenerator(seed: 1_234_567)
    #expect(random.next() == 6_457_827_717_110_365_317)
    #expect(random.next() == 3_203_168_211_198_807_973)
    var same = SeededGenerator(seed: 5)
    var other = SeededGenerator(seed: 5)
    #expect(same.bytes(13) == other.bytes(13))
  }

  @Test func `the sum is SHA-256`() throws {
    #expect(
      SHA256.of(Array("abc".utf8))
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      SHA256.of([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      SHA256.of(Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8))
        == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    let scratch = try Scratch()
    let bytes = [UInt8](repeating: 0x61, count: 100_003)
    let path = try scratch.directory.file("a", bytes)
    let outcome = try BuiltTool.run(program: "sha256sum", [path])
    #expect(try outcome.outputText.hasPrefix(SHA256.ofFile(path)))
    #expect(SHA256.of(bytes) == (try SHA256.ofFile(path)))
  }

  @Test func `programs are run to their end`() throws {
    let echo = try BuiltTool.run(
      program: "sh", ["-c", "cat; echo oops >&2; echo \"$X\" >&2; exit 3"],
      input: [UInt8](repeating: 0x61, count: 300_000), environment: ["X": "y"])
    #expect(echo.status == 3)
    #expect(echo.output.count == 300_000)
    #expect(echo.errorText == "oops\ny\n")
    let killed = try BuiltTool.run(program: "sh", ["-c", "kill -TERM $$"])
    #expect(killed.end == .signalled(15))
    #expect(killed.status == nil)
    let slow = try BuiltTool.run(program: "sleep", ["20"], timeoutSeconds: 0.1)
    #expect(slow.timedOut)
    #expect(slow.end == .signalled(9))
    let silent = try BuiltTool.run(
      program: "sh", ["-c", "exec >&- 2>&-; sleep 20"], timeoutSeconds: 0.1)
    #expect(silent.timedOut)
    let deaf = try BuiltTool.run(program: "true", [], input: [UInt8](repeating: 1, count: 300_000))
    #expect(deaf.status == 0)
    let there = try BuiltTool.run(program: "pwd", [], directory: "/usr")
    #expect(there.outputText == "/usr\n")
    #expect(throws: (any Error).self) { try BuiltTool.run(program: "/no/such/program", []) }
  }

  @Test func `the built tool is looked for beside the tests`() throws {
    let directory = Files.directory(of: try BuiltTool.path)
    #expect(try Files.list(directory).contains { $0.hasSuffix(".xctest") })
    #expect(try BuiltTool.path.hasSuffix("/ftool"))
  }

  @Test func `a running program can be waited for and told to stop`() throws {
    var process = try ToolProcess(program: "sh", ["-c", "echo ready; exec sleep 20"])
    let isReady = process.waitForOutput("ready")
    #expect(isReady)
    process.signal(15)
    let outcome = try process.finish()
    #expect(outcome.end == .signalled(15))
    #expect(outcome.outputText == "ready\n")
  }
}
