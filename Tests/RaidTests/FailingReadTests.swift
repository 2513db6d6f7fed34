import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import Testing

@testable import Raid

/// Devices on which a second look finds something else than the first.
@Suite struct FailingReadTests {
  enum Step: CaseIterable, Sendable { case replace, rebuild }

  @Test(arguments: Step.allCases)
  func `what was read once and then can't be is no reason to die`(_ step: Step) throws {
    let original = try ArrayBench(.raid5)
    try original.fill(seed: 3)
    for number in 0..<24 {
      let bench = original.copy()
      let target = bench.devices[0]
      let faulty = FaultyDevice(
        target, plan: [.init(.fromOperation(number, of: .read), .flip(byte: 40, mask: 4))])
      bench.wrap = { device -> any BlockDevice in
        if device === target { return faulty }
        return device
      }
      do {
        switch step {
        case .replace: try bench.open().admitReplacement(bench.fresh(), forSlot: 2)
        case .rebuild: _ = try bench.open(without: [2]).admit(bench.fresh(), toSlot: 2)
        }
      } catch {
        #expect(error is RaidError, "\(error)")
      }
    }
  }
}
