import BinaryCodec
import BlockStorage
import ErasureCoding
import FToolTestSupport
import LinuxSystem
import MDFormat
import Raid
import RaidGeometry

/// A small array of version 1.2 with a journal, written here block by block: what the members hold,
/// what the log holds, and what must come out.
final class ReplayedArray {
  static let block = 4096
  static let dataOffset = 64 << 10

  let placement: ParityPlacement
  let members: [MemoryDevice]
  let journal: MemoryDevice
  let log: MDJournal
  let arrayID: Identifier
  private let level: RaidLevel
  private let rotation: ParityRotation
  private let code: ErasureCode
  private let chunk: Int

  /// What the array must read as, by slot: data and parity, newest.
  private(set) var truth: [[UInt8]]
  /// The position of the next meta block, and its number.
  private var sector: Int
  private var sequence: UInt64 = 77
  let tail: Int

  init(
    _ level: RaidLevel, slotCount: Int, chunk: Int = 16384, rows: Int = 6,
    ringSectors: Int = 8 * 600, tail: Int = 8 * 3,
    using random: inout some RandomNumberGenerator
  ) {
    self.level = level
    self.chunk = chunk
    rotation = level == .dedicatedParity ? .parityLast : .leftSymmetric
    placement = ParityPlacement(
      slotCount: slotCount, parityCount: level.parityCount, chunkByteCount: chunk,
      rowCount: rows, rotation: rotation)
    code = ErasureCode(parityCount: level.parityCount)
    arrayID = .random(using: &random)
    members = (0..<slotCount).map {
      MemoryDevice(byteCount: Self.dataOffset + rows * chunk, name: "m\($0)")
    }
    journal = MemoryDevice(byteCount: Self.dataOffset + ringSectors * 512, name: "journal")
    log = MDJournal(arrayID: arrayID, areaSectors: ringSectors)
    truth = (0..<slotCount).map { _ in [UInt8](repeating: 0, count: rows * chunk) }
    self.tail = tail
    sector = tail
    for slot in truth.indices {
      for at in truth[slot].indices { truth[slot][at] = UInt8.random(in: 0...255, using: &random) }
    }
    for block in 0..<blockCount { truth(renewsParityOf: block) }
  }

  /// Blocks of each member.
  var blockCount: Int { placement.rowCount * chunk / Self.block }
  func pattern(_ block: Int) -> RowPattern { placement.pattern(ofRow: block * Self.block / chunk) }
  private func bytes(_ block: Int) -> Range<Int> { block * Self.block..<(block + 1) * Self.block }

  /// The array sector of a slot's block of data.
  func arraySector(_ block: Int, slot: Int) -> UInt64 {
    guard case .data(let column) = pattern(block).roles[slot] else { fatalError("no data") }
    let offset = block * Self.block
    let row = offset / chunk
    return UInt64(
      (row * placement.rowByteCount + column * chunk + offset % chunk) / 512)
  }

  // MARK: The truth

  func change(_ block: Int, slot: Int, using random: inout some RandomNumberGenerator) {
    let seed = UInt8.random(in: 1...255, using: &random)
    for at in bytes(block) { truth[slot][at] = truth[slot][at] &* 5 &+ seed }
    truth(renewsParityOf: block)
  }

  private func truth(renewsParityOf block: Int) {
    let pattern = pattern(block)
    let plan = code.encoding(
      positions: pattern.codePositions, parities: Array(0..<placement.parityCount))
    var buffer = AlignedBuffer(byteCount: placement.slotCount * Self.block)
    var columns = buffer.mutableBytes
    for slot in pattern.dataSlots {
      columns.copy(Array(truth[slot][bytes(block)]), at: slot * Self.block)
    }
    let sources = pattern.dataSlots.map { $0 * Self.block }
    let outputs = pattern.paritySlots.map { $0 * Self.block }
    plan.apply(
      in: &columns, sources: sources.span, outputs: outputs.span, byteCount: Self.block)
    for slot in pattern.paritySlots {
      let column = columns.bytes.array(slot * Self.block..<(slot + 1) * Self.block)
      truth[slot].replaceSubrange(bytes(block), with: column)
    }
  }

  /// All of the array's bytes.
  var content: [UInt8] {
    var content: [UInt8] = []
    for row in 0..<placement.rowCount {
      for slot in placement.pattern(ofRow: row).dataSlots {
        content += truth[slot][row * chunk..<(row + 1) * chunk]
      }
    }
    return content
  }

  // MARK: The members

  /// Brings a slot's block on its member up to date.
  func store(_ block: Int, slot: Int) throws {
    try members[slot].write(
      Array(truth[slot][bytes(block)]), at: Self.dataOffset + block * Self.block)
  }

  func scramble(_ block: Int, slot: Int) throws {
    let garbage = [UInt8](
      repeating: UInt8(truncatingIfNeeded: 31 &* block &+ slot), count: Self.block)
    try members[slot].write(garbage, at: Self.dataOffset + block * Self.block)
  }

  // MARK: The log

  /// Appends a meta block: data of some blocks, with the parity of their stripes or without, and
  /// stripes that have arrived.
  func append(
    _ blocks: [(block: Int, slots: [Int], hasParity: Bool)], flushed: [Int] = [],
    damages: Bool = false
  ) throws {
    var payloads: [MDJournalMetaBlock.Payload] = []
    var next = log.advance(sector, by: 8)
    func put(_ block: Int, _ slot: Int) throws -> MDJournalMetaBlock.Block {
      let content = Array(truth[slot][bytes(block)])
      let checksum = log.checksum(of: content.rawBytes)
      let place = next
      try journal.write(
        damages ? content.map { ~$0 } : content, at: Self.dataOffset + place * 512)
      next = log.advance(next, by: 8)
      return .init(sector: place, checksum: checksum)
    }
    if !flushed.isEmpty {
      payloads.append(.flush(memberSectors: flushed.map { UInt64($0 * 8) }, flags: 0))
    }
    for (block, slots, hasParity) in blocks {
      for slot in slots {
        payloads.append(
          .data(arraySector: arraySector(block, slot: slot), block: try put(block, slot), flags: 0))
      }
      if hasParity {
        let parity = try pattern(block).paritySlots.map { try put(block, $0) }
        payloads.append(.parity(memberSector: UInt64(block * 8), blocks: parity, flags: 0))
      }
    }
    let meta = MDJournalMetaBlock(sequence: sequence, sector: sector, payloads: payloads)
    var buffer = AlignedBuffer(byteCount: Self.block)
    var page = buffer.mutableBytes
    meta.encode(into: &page, journal: log)
    try journal.write(page.bytes.array(), at: Self.dataOffset + sector * 512)
    sequence += 1
    sector = next
  }

  // MARK: Superblocks

  /// Writes all superblocks; then the array can be opened.
  func finish(events: UInt64 = 9, journalEvents: UInt64 = 9) throws {
    for (number, device) in (members + [journal]).enumerated() {
      let isJournal = number == members.count
      var superblock = MDSuperblock(
        version: .v1_2, arrayID: arrayID, level: level.number, layout: rotation.rawValue,
        chunkSectors: UInt32(chunk / 512), slotCount: members.count)
      superblock.features = .journal
      superblock.sizeSectors = UInt64(placement.rowCount * chunk / 512)
      superblock.dataOffsetSectors = UInt64(Self.dataOffset / 512)
      superblock.dataSizeSectors = UInt64((device.byteCount - Self.dataOffset) / 512)
      superblock.superOffsetSectors = 8
      superblock.deviceNumber = UInt32(number)
      superblock.events = isJournal ? journalEvents : events
      if isJournal { superblock.journalTailSectors = UInt64(tail) }
      for slot in members.indices { superblock.roles[slot] = UInt16(slot) }
      superblock.roles[members.count] = MDSuperblock.journal
      var buffer = AlignedBuffer(byteCount: Self.block)
      var page = buffer.mutableBytes
      superblock.encode(into: &page)
      try device.write(page.bytes.array(), at: Self.block)
    }
  }
}
