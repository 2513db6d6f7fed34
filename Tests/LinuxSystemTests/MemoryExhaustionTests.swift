import LinuxSystem
import Testing

@Suite struct MemoryExhaustionTests {
  @Test func `ends with a status, not with a trap`() async {
    await #expect(processExitsWith: .exitCode(71)) { _ = AlignedBuffer(byteCount: 1 << 60) }
  }

  @Test func `ends as it was told to`() async {
    await #expect(processExitsWith: .exitCode(9)) {
      MemoryExhaustion.answer { byteCount in byteCount == 1 << 60 ? 9 : 1 }
      _ = AlignedBuffer(byteCount: 1 << 60)
    }
  }
}
