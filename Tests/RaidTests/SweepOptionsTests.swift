import LinuxSystem
import Testing

@testable import Raid

@Suite struct SweepOptionsTests {
  @Test func `workers past the page cache keep to the memory there is, for any array`() {
    for slotCount in 2...510 {
      let workers = SweepOptions.directWorkers(slotCount: slotCount)
      let each =
        WorkingMemory.byteCount(slotCount: slotCount) + (slotCount + 2) * 4096
        + RaidArray.stagingByteCount(slotCount: slotCount)
      #expect(workers >= 1 && workers * each <= 104 << 20, "\(slotCount) members")
    }
    #expect(SweepOptions.directWorkers(slotCount: 4) >= 8)
  }
}
