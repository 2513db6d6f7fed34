import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry

/// Rows of the new shape in spare room of the members they are of, on their way to their place.
///
/// Where the data has no room to move into, what is written next would be written over what has not been moved.
/// So it is written beside first, with all parity or copies; then each member's log says that it is there; and only when this
/// is durable everywhere does it go to its place. Who is cut off before finds the old shape as it was; who is cut
/// off later finds the rows here, as often as it takes, also without as many members as the new level can miss.
/// (mdadm does the same with a file of its own, `--backup-file`.)
///
/// A kernel knows nothing of it: all superblocks have a feature bit meanwhile that keeps it away.
struct StagedRows: Sendable {
  /// Array bytes: whole bands of the new shape, but at the array's end.
  let part: Range<Int>
  /// Blocks of every member's new data.
  let blocks: Range<Int>
  /// The rows, where they are now.
  let data: RaidArray.Placed
  /// Their members, as they are there.
  let members: MemberSet

  /// - Parameters:
  ///   - members: those of the new shape.
  ///   - recordsSums: what is written here gives the members' sums in their new place, too.
  ///   - hasSums: it has, and what is read here is compared with them.
  ///   - badBlocks: by slot, blocks of the member's new data that nobody has.
  init(
    _ part: Range<Int>, _ shape: ArrayShape, _ members: MemberSet, recordsSums: Bool = false,
    hasSums: Bool = false, badBlocks: [Int: [Int]] = [:], memory: WorkingMemoryPool
  ) {
    guard let blocks = ReshapeGeometry(shape)?.blocks(of: part) else {
      preconditionFailure("what is staged is whole bands")
    }
    self.part = part
    self.blocks = blocks
    let slots = members.slots.enumerated().map { slot, holders in
      var made = MemberSet.Slot()
      made.member = holders.member.flatMap {
        $0.isFailed
          ? nil
          : $0.staged(
            blocks, usesSums: recordsSums || hasSums, trustsSums: hasSums,
            badBlocks: badBlocks[slot] ?? [])
      }
      return made
    }
    self.members = MemberSet(
      slots: slots, spares: [], isWritable: recordsSums, events: members.events,
      survives: members.survives)
    switch shape.placement {
    case .parity(let rows):
      data = .parity(
        ParityStripes(
          placement: rows, members: self.members, intent: nil, journal: nil,
          doubtStart: Int.max, allowsDoubt: false, memory: memory))
    case .copies(let copies):
      data = .copies(
        CopiedData(
          placement: copies, members: self.members, intent: nil, journal: nil,
          doubtStart: Int.max, readPolicy: .roundRobin, hidesForeignWrites: false, memory: memory))
    }
  }

  // MARK: Writing down that they are there

  /// Says on every member that its rows are here.
  ///
  /// - Parameter lost: by slot, the blocks that nobody has.
  func announce(on members: MemberSet, lost: [Int: [Int]]) throws(RaidError) {
    for (slot, holders) in members.slots.enumerated() {
      try members.onEach(holders.writable) { (member) throws(DeviceError) in
        var sums = try member.sums?.stored(blocks) ?? []
        if sums.isEmpty {
          sums = try member.stagedSums(blocks, slot: slot) { (_, error) throws(DeviceError) in
            throw error
          }
        }
        for block in lost[slot] ?? [] where blocks.contains(block) {
          sums[block - blocks.lowerBound] ^= 0xffff_ffff
        }
        try ReshapeLog(part: part, firstBlock: blocks.lowerBound, sums: sums, isStaged: true)
          .store(on: member)
        try member.device.flush()
      }
    }
  }

  /// Rows that were announced, and may be in their place or not; nil where all members do not say so: then
  /// nothing has been written over yet.
  ///
  /// - Parameters:
  ///   - members: those of the new shape that are in use.
  ///   - shape: the new one.
  ///   - position: from where on, or up to where, array bytes are to be moved, as the superblocks say.
  static func find(
    on members: MemberSet, _ shape: ArrayShape, position: Int, isBackwards: Bool,
    memory: WorkingMemoryPool
  ) throws(RaidError) -> StagedRows? {
    guard let geometry = ReshapeGeometry(shape) else { return nil }
    var part: Range<Int>?
    var logs: [Int: ReshapeLog] = [:]
    for (slot, holders) in members.slots.enumerated() {
      for member in holders.writable {
        let log: ReshapeLog?
        do throws(DeviceError) {
          log = try ReshapeLog(
            on: member,
            where: {
              $0.isStaged && (isBackwards ? $0.part.upperBound : $0.part.lowerBound) == position
            })
        } catch {
          throw .notStartable(.device(member: member.name, error))
        }
        guard let log, log.part == part ?? log.part,
          log.blocks == geometry.blocks(of: log.part)
        else { return nil }
        part = log.part
        logs[slot] = log
      }
    }
    guard let part else { return nil }
    var badBlocks: [Int: [Int]] = [:]
    for (slot, log) in logs {
      guard let member = members.slots[slot].member else { continue }
      do throws(DeviceError) {
        var bad: Set<Int> = []
        let found = try member.stagedSums(log.blocks, slot: slot) { (block, _) in
          bad.insert(block)
        }
        bad.formUnion(
          log.blocks.filter { found[$0 - log.firstBlock] != log.sums[$0 - log.firstBlock] })
        badBlocks[slot] = bad.sorted()
      } catch {
        throw .notStartable(.device(member: member.name, error))
      }
    }
    return StagedRows(part, shape, members, badBlocks: badBlocks, memory: memory)
  }
}

extension Member {
  /// The same member with data where it is staged.
  ///
  /// - Parameter badBlocks: numbers of blocks of its new data.
  fileprivate func staged(
    _ blocks: Range<Int>, usesSums: Bool, trustsSums: Bool, badBlocks: [Int]
  ) -> Member? {
    guard let room = reshapeRoom else { return nil }
    var superblock = self.superblock
    superblock.features.remove(.recoveryOffset)
    let offset =
      ReshapeLog.contentOffset(room, blockCount: blocks.count) - blocks.lowerBound * 4096
    return Member(
      device: device, superblock: superblock, header: nil, dataOffset: offset,
      badBlocks: badBlocks.map { $0 * 4096..<($0 + 1) * 4096 },
      sums: usesSums ? sums : nil, sumsAreTrusted: trustsSums && self.trustsSums,
      lacksSums: usesSums && lacksSums, record: record)
  }

  /// The sums of what is staged, as it can be read.
  ///
  /// - Parameter unreadable: told of each block that can't be; its sum is 0 then.
  fileprivate func stagedSums(
    _ blocks: Range<Int>, slot: Int,
    unreadable: (Int, DeviceError) throws(DeviceError) -> Void
  ) throws(DeviceError) -> [UInt32] {
    guard let room = reshapeRoom else { return [] }
    let start = ReshapeLog.contentOffset(room, blockCount: blocks.count)
    let prefix = BlockSums.prefixRegister(arrayID: superblock.arrayID, slot: UInt32(slot))
    var buffer = AlignedBuffer(byteCount: 32 * 4096)
    var sums = [UInt32](repeating: 0, count: blocks.count)
    var next = 0
    var step = 32
    while next < blocks.count {
      let count = min(step, blocks.count - next)
      var bytes = buffer.mutableBytes
      do throws(DeviceError) {
        try device.read(into: &bytes, range: 0..<count * 4096, at: start + next * 4096)
      } catch {
        guard case .unreadable = error else { throw error }
        if step > 1 {
          step = 1
          continue
        }
        try unreadable(blocks.lowerBound + next, error)
        bytes.zero()
      }
      var span = sums.mutableSpan
      blockSums(
        of: bytes.bytes, range: 0..<count * 4096, firstBlock: UInt64(blocks.lowerBound + next),
        prefixRegister: prefix, into: &span, at: next)
      next += count
    }
    return sums
  }
}
