import BinaryCodec
import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import Raid
import RaidGeometry

/// An array that was prepared, what was then done to it, and the trace that this has left.
package final class Scenario {
  package let cell: Cell
  /// From it, and the cell, everything follows.
  package let seed: UInt64
  package private(set) var trace = Trace()

  let plan: ArrayPlan
  let geometry: SlowGeometry
  /// Everyone who takes part at any time; the first ones are those of the slots.
  let members: [TracedMember]
  /// The slot that each may come to have.
  var slots: [Int]
  let tape = Tape()
  let turns: TurnOrder
  var random: SeededGenerator
  let history: Monitor<ArrayHistory>

  /// Indices of those who are there when the operation begins.
  var present: [Int]
  /// Indices of those who take no part in it.
  private(set) var absent: [Int] = []
  /// Indices of those who came during the operation, though some may have gone again.
  var hasJoined: Set<Int> = []
  /// Slots that may be empty when it is cut off, though nobody is lost by that.
  var mayLack: Set<Int> = []
  /// Array bytes that were written before without a member, so that they are marked still.
  var markedBefore: [Range<Int>] = []
  /// Something of the members was damaged before.
  var isDamaged = false
  /// Array bytes that are to be there whatever its shape.
  var keptByteCount = Int.max
  /// How many slots may be empty, in whichever shape.
  var lossLimit = Int.max
  /// A read does not notice what is damaged.
  var hidesDamage = false

  /// Makes the array, does to it what the cell says, and keeps the trace of that.
  ///
  /// - Parameter isTiny: of a small number of rows, with little done to it.
  /// - Throws: `Violation` where the operation itself fails.
  package init(_ cell: Cell, seed: UInt64, isTiny: Bool = false) throws {
    self.cell = cell
    self.seed = seed
    var random = SeededGenerator(seed: Mixer(seed, isTiny ? 1 : 0).value)
    let plan = ArrayPlan(cell, isTiny: isTiny, using: &random)
    self.plan = plan
    geometry = plan.geometry
    let tape = tape
    let turns = TurnOrder()
    self.turns = turns
    members = (0..<plan.slotCount + 1).map {
      TracedMember(index: $0, byteCount: plan.memberByteCount, tape: tape, turns: turns)
    }
    slots = Array(0..<plan.slotCount) + [0]
    present = Array(0..<plan.slotCount)
    let content = try Self.create(
      plan, Array(members[..<plan.slotCount]), arrayID: random.next(), content: random.next())
    precondition(content.count == plan.geometry.byteCount, "the geometries differ")
    history = Monitor(ArrayHistory(initial: content))
    self.random = random
    do {
      try prepare(isTiny: isTiny)
    } catch let error as RaidError {
      throw Violation(.succeeds, "preparing: \(error)")
    }
    for member in members { member.keep() }
    let presentBefore = Set(present)
    tape.start()
    do {
      try perform(isTiny: isTiny)
    } catch let error as RaidError {
      throw Violation(.succeeds, "the operation: \(error)")
    }
    trace = tape.stop()
    absent = members.indices.filter {
      !presentBefore.contains($0) && !hasJoined.contains($0)
    }
  }

  /// Makes the trace another than it was.
  func change(_ change: (inout Trace) -> Void) { change(&trace) }

  private static func create(
    _ plan: ArrayPlan, _ members: [TracedMember], arrayID: UInt64, content: UInt64
  ) throws -> [UInt8] {
    var request = plan.request
    var generator = SeededGenerator(seed: arrayID)
    request.arrayID = .random(using: &generator)
    let creation = try ArrayCreation(request, devices: members, spares: [])
    try creation.write()
    _ = try creation.initialise(assumesClean: false, oneWorker)
    var options = RaidArray.Options()
    options.isWritable = true
    let array = try RaidArray.open(members, options: options)
    var chance = SeededGenerator(seed: content)
    let bytes = chance.bytes(array.byteCount)
    try array.write(bytes, at: 0)
    try array.close()
    return bytes
  }

  static var oneWorker: SweepOptions {
    var options = SweepOptions()
    options.workers = 1
    return options
  }

  static var scrubbing: RaidArray.ScrubOptions {
    var options = RaidArray.ScrubOptions()
    options.sweep = oneWorker
    return options
  }

  func open(_ indices: [Int]) throws(RaidError) -> RecordedArray {
    var options = RaidArray.Options()
    options.isWritable = true
    options.allowsDegraded = true
    return RecordedArray(
      array: try RaidArray.open(indices.map { members[$0] }, options: options), tape: tape,
      history: history)
  }

  /// What may be expected when the power goes off at a point.
  func expectation(at point: Int) -> Expectation {
    history.withLock { $0.expectation(trace, at: point) }
  }

  /// Where on the members their superblock is.
  var superblockSectors: Range<Int> {
    guard let superblock = try? MemberProbe(members[present[0]]).superblock else { return 0..<0 }
    let sector = Int(superblock.superOffsetSectors)
    return sector..<sector + 8
  }

  /// Where on the members md's bitmap is; empty where they have none.
  var bitmapSectors: Range<Int> {
    guard let superblock = try? MemberProbe(members[present[0]]).superblock,
      let sector = superblock.bitmapSector
    else { return 0..<0 }
    return sector..<sector + 8
  }

  /// Where on the members their data is; the same on all of them.
  var dataOffset: Int {
    get throws { Int(try MemberProbe(members[present[0]]).superblock.dataOffsetSectors) * 512 }
  }
}
