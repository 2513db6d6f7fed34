import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import SystemPackage
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

  /// What it lacks of the array is what all who are out lack.
  @Test(arguments: ArrayRecipe.redundant)
  func `who fails in a repair is out, and no block is called lost`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 3)
    let start = try bench.dataOffset(1)
    bench.devices[1].corrupt(start + 8192..<start + 8200)
    bench.inject(
      [
        .init(
          .touching(start..<start + bench.sizes[1], by: .write),
          .fail(.unwritable(offset: 0, errno: .ioError)))
      ], on: bench.devices[1])
    let array = try bench.open()
    let report = try array.scrub(RaidArray.ScrubOptions())
    #expect(array.degradedSlots == [1] && report.findings == [])
    #expect(report.unrepairedCount == 0)
    #expect(try bench.contents(array) == bench.model)
  }
}
