import BlockStorage
import FToolTestSupport
import LinuxSystem
import SystemPackage
import Testing

@testable import Raid

/// Writes that were made while the bitmap could not be read are not in it.
@Suite struct UnreadableIntentTests {
  @Test(arguments: [false, true])
  func `a member that was away then gets everything when it comes back`(
    _ hasBitmap: Bool
  ) throws {
    let original = try ArrayBench(
      ArrayRecipe.mirror.with {
        $0.dataByteCount = 64 << 10
        $0.hasBitmap = hasBitmap
      })
    try original.fill(seed: 4)
    for number in 0..<12 {
      let bench = original.copy()
      let faulty = bench.inject(
        [.init(.operation(number, of: .read), .fail(.unreadable(offset: 0, errno: .ioError)))],
        on: bench.devices[0])
      // Where the array does not open there is nothing to see.
      guard let first = try? bench.open(without: [1]) else { continue }
      do {
        try bench.write(SeededGenerator.bytes(seed: 5, 9000), at: 5000, to: first)
        try first.close()
      } catch {
        #expect(error is RaidError || error is DeviceError, "\(error)")
        continue
      }
      faulty.heal()
      let probe = try MemberProbe(bench.devices[1])
      let array = try bench.open(without: [1])
      let ranges = try array.admit(probe.device, toSlot: 1, knownAs: probe)
      _ = try array.rebuild(slot: 1, ranges: ranges, SweepOptions())
      try array.close()
      let alone = try bench.open(writable: false, without: [0])
      let isRight = try bench.contents(alone) == bench.model
      #expect(isRight, "read \(number)")
    }
  }
}
