import FToolTestSupport
import SystemPackage
import Testing

@testable import BlockStorage

@Suite struct DeviceWindowTests {
  @Test(arguments: [0, 1, 512, 4097])
  func `a window keeps the contract, and to itself`(offset: Int) throws {
    let violations = try DeviceContract.violations { byteCount in
      let whole = MemoryDevice(byteCount: byteCount + offset + 1000)
      return DeviceWindow(whole, range: offset..<offset + byteCount, name: "window")
    }
    #expect(violations == [])
    let whole = MemoryDevice([UInt8](repeating: 1, count: 3000))
    let window = DeviceWindow(whole, range: 1000..<2000, name: "window")
    try window.zero(0..<1000)
    #expect(try whole.bytes(0..<1000).allSatisfy { $0 == 1 })
    #expect(try whole.bytes(1000..<2000).allSatisfy { $0 == 0 })
    #expect(try whole.bytes(2000..<3000).allSatisfy { $0 == 1 })
    #expect(throws: DeviceError.truncated(offset: 1000)) { try window.bytes(999..<1001) }
  }

  @Test func `errors are told in the window's own offsets`() throws {
    let faulty = FaultyDevice(MemoryDevice(byteCount: 8192))
    let window = DeviceWindow(faulty, range: 4096..<8192, name: "window")
    faulty.plan(
      .init(.touching(5000..<5001, by: .read), .fail(.unreadable(offset: 5000, errno: .ioError))))
    #expect(throws: DeviceError.unreadable(offset: 904, errno: .ioError)) {
      try window.bytes(0..<4096)
    }
    faulty.plan(.init(.operation(0, of: .write), .fail(.gone(.noSuchAddressOrDevice))))
    #expect(throws: DeviceError.gone(.noSuchAddressOrDevice)) { try window.write([1], at: 0) }
  }

  @Test func `extents stay inside`() throws {
    let whole = MemoryDevice(byteCount: 8192)
    try whole.write([1], at: 2048)
    let window = DeviceWindow(whole, range: 1024..<4096, name: "window")
    #expect(window.extent(at: 0, limit: 9999) == Extent(isHole: true, range: 0..<1024))
    #expect(window.extent(at: 1024, limit: 9999) == Extent(isHole: false, range: 1024..<1536))
    #expect(window.extent(at: 1536, limit: 9999) == Extent(isHole: true, range: 1536..<3072))
  }
}
