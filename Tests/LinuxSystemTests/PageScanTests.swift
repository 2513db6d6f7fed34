import Glibc
import LinuxSystem
import SystemPackage
import Testing

@Suite struct PageScanTests {
  /// The kernel tells some hundred runs at a time.
  @Test(arguments: [1, 2, 511, 512, 513, 700, 1023, 1024, 1025, 1536, 1537, 3000])
  func `every run is told, once and in order`(count: Int) throws {
    let pageByteCount = Machine.pageSize
    let byteCount = 2 * count * pageByteCount
    let memory = mmap(
      nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
    defer { munmap(memory, byteCount) }
    madvise(memory, byteCount, MADV_NOHUGEPAGE)
    // Every other page.
    let places = (0..<count).map { 2 * $0 * pageByteCount }
    for place in places { memory.storeBytes(of: 1, toByteOffset: place, as: UInt8.self) }
    let start = UInt64(UInt(bitPattern: memory))
    do throws(SystemCallError) {
      let runs = try PageScan(of: .current).runs(
        in: start..<start + UInt64(byteCount), wanted: .present, excluded: [.file, .zero])
      #expect(
        runs.map(\.addresses)
          == places.map { start + UInt64($0)..<start + UInt64($0 + pageByteCount) })
    } catch {
      // Linux before 6.7 has no such call.
      #expect(error.errno == .inappropriateIOCTLForDevice)
    }
  }
}
