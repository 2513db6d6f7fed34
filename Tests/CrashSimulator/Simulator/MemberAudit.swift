import BinaryCodec
import BlockStorage
import FToolTestSupport
import MDFormat
import Raid

/// Looks at the raw bytes of the members of an array that has been settled: with arithmetic of its own, and
/// with nothing of the engine's but to find out who has which slot.
struct MemberAudit {
  private let scenario: Scenario
  private let content: [UInt8]
  private let geometry: SlowGeometry
  /// By slot: who has it, and what it holds; none for empty slots.
  private var images: [Int: [UInt8]] = [:]
  private var probes: [Int: MemberProbe] = [:]

  /// - Parameter content: what the array gives.
  init(
    _ scenario: Scenario, _ array: RaidArray, content: [UInt8], empty: Set<Int>,
    geometry: SlowGeometry? = nil
  ) {
    self.scenario = scenario
    self.geometry = geometry ?? scenario.geometry
    self.content = content
    for (slot, holder) in array.assembly.holders.enumerated() where !empty.contains(slot) {
      guard let index = holder.member else { continue }
      let probe = array.assembly.members[index]
      guard let member = probe.device as? TracedMember else { continue }
      probes[slot] = probe
      images[slot] = member.contents
    }
  }

  func check() throws(Violation) {
    try checkSuperblocks()
    try checkCopies()
    try checkParity()
    try checkSums()
  }

  private func checkSuperblocks() throws(Violation) {
    let events = Set(probes.values.map(\.superblock.events))
    if events.count != 1 { throw Violation(.agrees, "events differ: \(events)") }
    for (slot, probe) in probes {
      let superblock = probe.superblock
      if superblock.role != .slot(slot) {
        throw Violation(.agrees, "slot \(slot) says \(superblock.role)")
      }
      if scenario.cell.level.isRedundant, superblock.resyncOffsetSectors != .max {
        throw Violation(.agrees, "slot \(slot) is not clean")
      }
      if superblock.features.contains(.recoveryOffset) {
        throw Violation(.agrees, "slot \(slot) has a recovery offset")
      }
      if scenario.plan.hasSums, !probe.isLastWrittenByUs {
        throw Violation(.agrees, "slot \(slot) has a foreign marker")
      }
    }
  }

  private func start(_ slot: Int) -> Int {
    Int(probes[slot]?.superblock.dataOffsetSectors ?? 0) * 512
  }

  private func checkCopies() throws(Violation) {
    let step = geometry.level == -1 ? 512 : 4096
    for offset in stride(from: 0, to: content.count, by: step) {
      let block = offset..<min(offset + step, content.count)
      for place in geometry.places(of: offset) {
        guard let image = images[place.slot] else { continue }
        if !content.same(block, as: image, at: start(place.slot) + place.offset) {
          throw Violation(.agrees, "array byte \(offset) is another on slot \(place.slot)")
        }
      }
    }
  }

  private func checkParity() throws(Violation) {
    guard geometry.parityCount > 0 else { return }
    for row in 0..<geometry.rowCount {
      let roles = geometry.roles(ofRow: row)
      for (slot, role) in roles.enumerated() {
        guard case .parity(let index) = role, let image = images[slot] else { continue }
        var sum = [UInt8](repeating: 0, count: geometry.chunk)
        for case .data(let column, let exponent) in roles {
          let from = (row * geometry.dataCount + column) * geometry.chunk
          SlowCode.add(
            content[from..<from + geometry.chunk],
            times: SlowCode.coefficient(index, exponent), to: &sum)
        }
        if !sum.same(0..<geometry.chunk, as: image, at: start(slot) + row * geometry.chunk) {
          throw Violation(.agrees, "parity \(index) of row \(row) on slot \(slot) is wrong")
        }
      }
    }
  }

  private func checkSums() throws(Violation) {
    guard scenario.plan.hasSums else { return }
    for (slot, image) in images {
      guard let probe = probes[slot], let region = probe.header?.range(of: .sums) else {
        throw Violation(.agrees, "slot \(slot) has no header")
      }
      var identity = [UInt8](repeating: 0, count: 20)
      identity.withMutableRawBytes { bytes in
        probe.superblock.arrayID.store(in: &bytes, at: 0)
        bytes.store(UInt32(slot), at: 16)
      }
      try checkBlanks(slot, image, probe, region)
      let prefix = SlowCode.register(identity)
      let end = start(slot) + Int(probe.superblock.dataSizeSectors) * 512
      for block in usedBlocks(slot) {
        let at = start(slot) + block * 4096
        let expected = SlowCode.blockSum(
          image[at..<min(at + 4096, end)], number: block, prefix: prefix)
        let place = region.lowerBound + block / 1016 * 4096 + 32 + block % 1016 * 4
        let stored = (0..<4).reduce(UInt32(0)) { $0 | UInt32(image[place + $1]) << UInt32(8 * $1) }
        if stored != expected {
          throw Violation(.agrees, "the sum of block \(block) of slot \(slot) is wrong")
        }
      }
    }
  }

  /// No block of sums that is all zeros is said to have been written.
  private func checkBlanks(
    _ slot: Int, _ image: [UInt8], _ probe: MemberProbe, _ region: Range<Int>
  ) throws(Violation) {
    guard let blanks = probe.header?.range(of: .blanks) else {
      throw Violation(.agrees, "slot \(slot) does not say which sums were written")
    }
    for number in 0..<region.count / 4096 {
      let start = region.lowerBound + number * 4096
      let isBlank = image[blanks.lowerBound + number / 8] >> UInt8(number % 8) & 1 == 1
      if !isBlank, SlowCode.isZero(image, start..<start + 4096) {
        throw Violation(.agrees, "block of sums \(number) of slot \(slot) is lost")
      }
    }
  }

  /// Blocks of a slot that the array has something in.
  private func usedBlocks(_ slot: Int) -> Set<Int> {
    if geometry.parityCount > 0 { return Set(0..<geometry.rowCount * geometry.chunk / 4096) }
    var used = Set<Int>()
    let step = geometry.level == -1 ? 512 : 4096
    for offset in stride(from: 0, to: content.count, by: step) {
      for place in geometry.places(of: offset) where place.slot == slot {
        used.insert(place.offset / 4096)
      }
    }
    return used
  }
}
