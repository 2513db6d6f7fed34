import BinaryCodec
import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import Testing

@testable import Raid

/// Looks at the raw bytes of the members of an array that is closed and whole, and finds what is wrong:
/// with its own arithmetic, bit by bit where need be, and nothing of the engine's.
struct ArrayAudit {
  let bench: ArrayBench
  private let images: [[UInt8]]
  private let superblocks: [MDSuperblock]
  private let geometry: SlowGeometry
  private(set) var violations: [String] = []

  /// - Parameter slots: which of them are in sync; nil for all.
  static func violations(_ bench: ArrayBench, inSync: Set<Int>? = nil, isClean: Bool = true) throws
    -> [String]
  {
    var audit = try ArrayAudit(bench)
    let slots = inSync ?? Set(bench.devices.indices)
    audit.checkSuperblocks(slots, isClean)
    audit.checkData(slots)
    audit.checkParity(slots)
    try audit.checkSums(slots)
    return audit.violations
  }

  private init(_ bench: ArrayBench) throws {
    self.bench = bench
    images = bench.devices.map(\.contents)
    superblocks = try bench.devices.indices.map { try bench.superblock($0) }
    geometry = bench.geometry
  }

  private mutating func checkSuperblocks(_ slots: Set<Int>, _ isClean: Bool) {
    let events = Set(slots.map { superblocks[$0].events })
    if events.count != 1 { violations.append("events differ: \(events)") }
    for slot in slots {
      let superblock = superblocks[slot]
      if superblock.role != .slot(slot) {
        violations.append("slot \(slot) says \(superblock.role)")
      }
      if superblock.roles != superblocks[slots.min()!].roles {
        violations.append("roles differ on slot \(slot)")
      }
      if isClean != superblock.isClean {
        violations.append("slot \(slot): resync offset \(superblock.resyncOffsetSectors)")
      }
      if superblock.features.contains(.recoveryOffset) {
        violations.append("slot \(slot) still has a recovery offset")
      }
      if let probe = try? MemberProbe(bench.devices[slot]), bench.recipe.hasSums {
        if probe.header == nil { violations.append("slot \(slot) has no header") }
        if !probe.isLastWrittenByUs { violations.append("slot \(slot) has a foreign marker") }
        if probe.header?.slot != UInt32(slot) {
          violations.append("slot \(slot)'s header is another's")
        }
      }
    }
    checkBitmap(slots, isClean)
  }

  private mutating func checkBitmap(_ slots: Set<Int>, _ isClean: Bool) {
    guard slots.count == bench.devices.count, isClean else { return }
    for slot in slots {
      let start: Int
      if bench.recipe.hasBitmap {
        start =
          (Int(superblocks[slot].superOffsetSectors) + Int(superblocks[slot].bitmapOffsetSectors))
          * 512
      } else {
        guard let header = try? MemberProbe(bench.devices[slot]).header,
          let region = header.range(of: .intent)
        else { continue }
        start = region.lowerBound
      }
      let bytes = Array(images[slot][start..<start + 4096])
      guard let header = try? MDBitmapHeader(decoding: bytes.rawBytes) else {
        violations.append("slot \(slot)'s bitmap does not decode")
        continue
      }
      if header.events < superblocks[slot].events {
        violations.append("slot \(slot)'s bitmap is behind")
      }
      if header.setBitCount(in: bytes.rawBytes) != 0 {
        violations.append("slot \(slot) has \(header.setBitCount(in: bytes.rawBytes)) bits set")
      }
    }
  }

  private func dataStart(_ slot: Int) -> Int { Int(superblocks[slot].dataOffsetSectors) * 512 }

  private mutating func checkData(_ slots: Set<Int>) {
    let model = bench.model
    if model.count != geometry.byteCount {
      violations.append("the array has \(model.count) bytes, not \(geometry.byteCount)")
      return
    }
    let step = geometry.level == -1 ? 512 : 4096
    var offset = 0
    while offset < model.count {
      let count = min(step, model.count - offset)
      for place in geometry.places(of: offset) where slots.contains(place.slot) {
        let at = dataStart(place.slot) + place.offset
        if !model.same(offset..<offset + count, as: images[place.slot], at: at) {
          violations.append("array byte \(offset) differs on slot \(place.slot) at \(place.offset)")
          if violations.count > 20 { return }
        }
      }
      offset += count
    }
  }

  private mutating func checkParity(_ slots: Set<Int>) {
    guard geometry.parityCount > 0, slots.count == geometry.slotCount else { return }
    for row in 0..<geometry.rowCount {
      let roles = geometry.roles(ofRow: row)
      for parity in 0..<geometry.parityCount {
        var sum = [UInt8](repeating: 0, count: geometry.chunk)
        var place = 0
        for (slot, role) in roles.enumerated() {
          let start = dataStart(slot) + row * geometry.chunk
          switch role {
          case .parity(let index): if index == parity { place = slot }
          case .data(_, let exponent):
            let bytes = images[slot][start..<start + geometry.chunk]
            SlowCode.add(bytes, times: SlowCode.coefficient(parity, exponent), to: &sum)
          }
        }
        let start = dataStart(place) + row * geometry.chunk
        if !sum.same(0..<geometry.chunk, as: images[place], at: start) {
          violations.append("parity \(parity) of row \(row) on slot \(place) is wrong")
          if violations.count > 20 { return }
        }
      }
    }
  }

  /// Blocks of a slot's member that the array uses.
  private func usedBlocks(_ slot: Int) -> [Int] {
    let all = 0..<(bench.sizes[slot] + 4095) / 4096
    guard geometry.level == 10 else {
      return geometry.parityCount > 0
        ? Array(0..<geometry.rowCount * geometry.chunk / 4096) : Array(all)
    }
    var used = Set<Int>()
    for offset in stride(from: 0, to: geometry.byteCount, by: 4096) {
      for place in geometry.places(of: offset) where place.slot == slot {
        used.insert(place.offset / 4096)
      }
    }
    return used.sorted()
  }

  private mutating func checkSums(_ slots: Set<Int>) throws {
    guard bench.recipe.hasSums else { return }
    for slot in slots {
      let region = try #require(try bench.header(slot).range(of: .sums))
      let dataByteCount = Int(superblocks[slot].dataSizeSectors) * 512
      let prefix = SlowCode.register(
        bytes(of: superblocks[slot].arrayID) + littleEndian(UInt32(slot)))
      if let blanks = try bench.header(slot).range(of: .blanks) {
        for page in 0..<region.count / 4096 {
          let start = region.lowerBound + page * 4096
          let isZero = SlowCode.isZero(images[slot], start..<start + 4096)
          let isBlank = images[slot][blanks.lowerBound + page / 8] >> UInt8(page % 8) & 1 == 1
          if isZero != isBlank {
            violations.append(
              "slot \(slot): block of sums \(page) is \(isZero ? "" : "not ")zeros, and noted as \(isBlank ? "new" : "written")"
            )
          }
        }
      }
      for block in usedBlocks(slot) {
        let page = region.lowerBound + block / 1016 * 4096
        let head = images[slot][page..<page + 32]
        if !SlowCode.isZero(images[slot], page..<page + 4096), block % 1016 == 0 {
          if Array(head.prefix(4)) != Array("SUMS".utf8) {
            violations.append("slot \(slot): no magic in the sums of block \(block)")
          }
          let sum = ~SlowCode.register(images[slot][page + 8..<page + 4096], from: prefix)
          if Array(head[page + 4..<page + 8]) != littleEndian(sum) {
            violations.append("slot \(slot): the sums of block \(block) have a wrong sum")
          }
        }
        let start = dataStart(slot) + block * 4096
        let end = min(start + 4096, dataStart(slot) + dataByteCount)
        let expected = SlowCode.blockSum(
          images[slot][start..<end], number: block, prefix: prefix)
        let at = page + 32 + block % 1016 * 4
        if Array(images[slot][at..<at + 4]) != littleEndian(expected) {
          violations.append("slot \(slot): the sum of block \(block) is wrong")
          if violations.count > 20 { return }
        }
      }
    }
  }

  private func bytes(of identifier: Identifier) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 16)
    bytes.withMutableRawBytes { identifier.store(in: &$0, at: 0) }
    return bytes
  }

  private func littleEndian(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) }
  }
}
