import BlockStorage
import FToolTestSupport
import LinuxSystem
import SystemPackage
import Testing

@testable import Raid

/// A member that is being filled has nothing to give yet, so it must never be the newest of all: those
/// that fill it would then seem to come from another time.
@Suite struct FillingOrderTests {
  @Test(arguments: [ArrayRecipe.mirror, .raid1, .raid5, .raid6, .raid10])
  func `a source that fails while a new member is announced is still believed`(
    _ recipe: ArrayRecipe
  ) throws {
    let original = try ArrayBench(recipe.with { $0.dataByteCount = 64 << 10 })
    try original.fill(seed: 11)
    for number in 0..<40 {
      let bench = original.copy()
      bench.inject(
        [.init(.operation(number, of: nil), .fail(.unwritable(offset: 0, errno: .ioError)))],
        on: bench.devices[1])
      let new = bench.fresh(garbage: 5)
      do {
        let array = try bench.open(without: [0])
        _ = try array.admit(new, toSlot: 0)
        try array.close()
      } catch {
        #expect(error is RaidError, "\(error)")
      }
      let members = bench.devices.dropFirst() + [new]
      let known = members.filter { (try? MemberProbe($0)) != nil }
      let story: Comment = "\(recipe.testDescription), operation \(number)"
      do {
        let array = try RaidArray.open(Array(known))
        let isRight = try array.bytes(0..<array.byteCount) == bench.model
        #expect(isRight, story)
      } catch {
        Issue.record("\(error); \(story)")
      }
    }
  }

  @Test(arguments: [ArrayRecipe.mirror, .raid1, .raid5, .raid6, .raid10])
  func `a spare that does not know yet that it has a place has nothing to give`(
    _ recipe: ArrayRecipe
  ) throws {
    let original = try ArrayBench(
      recipe.with {
        $0.dataByteCount = 64 << 10
        $0.spareCount = 1
      })
    try original.fill(seed: 12)
    for slot in [0, recipe.slotCount - 1] {
      for number in 0..<40 {
        let bench = original.copy()
        bench.inject(
          [.init(.fromOperation(number, of: .flush), .fail(.flushFailed(.ioError)))],
          on: bench.devices[slot == 0 ? 1 : 0])
        do {
          let array = try bench.open(without: [slot])
          try array.promoteSpare(named: nil, toSlot: slot)
          try array.close()
        } catch {
          #expect(error is RaidError, "\(error)")
        }
        bench.wrap = { $0 }
        let story: Comment = "\(recipe.testDescription), slot \(slot), flush \(number)"
        do {
          let array = try bench.open(writable: false, without: [slot])
          #expect(array.degradedSlots.contains(slot), story)
          let isRight = try bench.contents(array) == bench.model
          #expect(isRight, story)
        } catch {
          Issue.record("\(error); \(story)")
        }
      }
    }
  }
}
