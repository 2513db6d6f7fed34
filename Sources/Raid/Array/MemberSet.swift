import BlockStorage
import LinuxSystem
import MDFormat
import Synchronization

/// The members of an open array by slot, and what concerns all of them: which may be read, which must
/// be written, and what happens when one fails.
package final class MemberSet: Sendable {
  /// A place in the array. While a member is being replaced, both are in it.
  package struct Slot: Sendable {
    /// Who has the slot; nil when it is empty.
    package var member: Member?
    /// Who is to have it when all of the data is copied.
    package var replacement: Member?

    /// Everyone who must get what is written to the slot.
    var writable: [Member] { [member, replacement].compactMap { $0 }.filter { !$0.isFailed } }

    /// Who can give all of the range.
    func reader(of range: Range<Int>) -> Member? {
      if let member, member.isReadable(range) { return member }
      if let replacement, replacement.isReadable(range) { return replacement }
      return nil
    }

    /// Who can give the block at a data offset, if anybody can, and up to where, at most up to `limit`,
    /// that is the same: a multiple of 4096, or `limit`.
    func reader(at offset: Int, limit: Int) -> (reader: Member?, end: Int) {
      var end = limit
      if let member {
        let (isReadable, own) = member.readability(at: offset, limit: limit)
        if isReadable { return (member, own) }
        end = own
      }
      guard let replacement else { return (nil, end) }
      let (isReadable, other) = replacement.readability(at: offset, limit: end)
      return (isReadable ? replacement : nil, other)
    }

    /// Who would give the block if its log did not call it bad.
    func lister(of block: Range<Int>) -> Member? {
      [member, replacement].lazy.compactMap { $0 }.first { $0.isOnlyListed(block) }
    }

    /// Who else can give the range when its reader could not.
    func otherReader(of range: Range<Int>) -> Member? {
      guard let member, member.isReadable(range), let replacement,
        replacement.isReadable(range)
      else { return nil }
      return replacement
    }
  }

  struct State {
    var slots: [Slot]
    var spares: [Member]
    /// Members failed since the superblocks were last written.
    var hasUnrecordedFailure = false
    /// Blocks that came from other members than their own.
    var blocksRestored = 0
    /// Blocks whose sum is damaged and which nothing else proves, taken as they are.
    var blocksUnproven = 0
    /// Everything that failed while the array was open, in order.
    var failures: [(member: Member, cause: DeviceError)] = []
  }

  /// How many members the array has when it is whole.
  package let slotCount: Int
  let state: Mutex<State>
  /// Superblocks say that a kernel must keep away: the journal has what may not be in its place yet.
  let keepsKernelsAway = Atomic<Bool>(false)
  /// Held while superblocks are written: two updates at once would mix their markers and events.
  let updating = Mutex(())
  /// What is to be kept of what happens.
  let events: EventLog
  /// How many slots may be empty.
  let survives: @Sendable ([Bool]) -> Bool
  /// Whether members may be written at all.
  package let isWritable: Bool
  /// Slots whose members are taken back: the disk calls them out of date until they are written last of all.
  let returningSlots: Set<Int>
  /// Superblocks say that members are being taken back.
  let isTakingBack: Atomic<Bool>

  /// - Parameters:
  ///   - events: those of the same members in another shape.
  ///   - survives: whether all data is there when these slots, and no others, can be read.
  init(
    slots: [Slot], spares: [Member], isWritable: Bool, returningSlots: Set<Int> = [],
    events: EventLog = EventLog(), survives: @escaping @Sendable ([Bool]) -> Bool
  ) {
    self.events = events
    slotCount = slots.count
    state = Mutex(State(slots: slots, spares: spares))
    self.isWritable = isWritable
    self.returningSlots = returningSlots
    isTakingBack = Atomic(!returningSlots.isEmpty)
    self.survives = survives
  }

  /// By slot, as they are at this moment.
  package var slots: [Slot] { state.withLock { $0.slots } }
  /// Members without a slot, ready for one.
  package var spares: [Member] { state.withLock { $0.spares } }

  /// Everyone in a slot who has not failed.
  package var active: [Member] { slots.flatMap(\.writable) }

  /// A block was taken as it is: its sum is damaged, and nobody else can vouch for it.
  func countUnproven() { state.withLock { $0.blocksUnproven += 1 } }

  /// Members have failed since the superblocks were last written.
  var hasUnrecordedFailure: Bool { state.withLock { $0.hasUnrecordedFailure } }

  /// Whether every slot has someone who has all of its data.
  var isComplete: Bool { slots.allSatisfy { $0.writable.contains(where: \.isInSync) } }

  /// Takes a member out of use after an error that makes it unfit.
  ///
  /// - Throws: `member` when the array can't do without it, or when all that is missing is room: then
  ///   the member is as good as before, and what was being written is in doubt.
  func fail(_ member: Member, _ cause: DeviceError) throws(RaidError) {
    if case .full = cause { throw .member(name: member.name, cause) }
    let survives = state.withLock { state in
      guard !member.isFailed else { return true }
      let present = state.slots.map { slot in
        slot.writable.contains { $0 !== member && $0.isInSync }
      }
      // A replacement or a half-built member can always be done without.
      let isNeeded = state.slots.contains { $0.member === member } && member.isInSync
      guard !isNeeded || self.survives(present) else { return false }
      member.markFailed()
      state.failures.append((member, cause))
      state.hasUnrecordedFailure = true
      let slot = state.slots.firstIndex { $0.member === member || $0.replacement === member }
      noteFailure(of: member, slot: slot, cause)
      return true
    }
    if !survives { throw .member(name: member.name, cause) }
  }
}
