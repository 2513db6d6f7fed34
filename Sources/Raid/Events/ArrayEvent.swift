import BinaryCodec

/// A change of an array's state, as it is kept with the array: when, what, on which member, and why.
package struct ArrayEvent: Hashable, Sendable {
  /// What happened; the number is what stands on disk (ftool-raid-format(5)). A later version may know more.
  package struct Kind: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The array was made. Counts: members, bytes of the array.
    package static let created = Kind(rawValue: 1)
    /// It was opened after a crash. Counts: bytes marked as being written, or all where nothing is marked.
    package static let openedUnclean = Kind(rawValue: 2)
    /// A long operation began. Cause: `MaintenanceProgress.Operation`. Counts: where it begins, its end.
    package static let started = Kind(rawValue: 3)
    /// It came to its end. Counts: where it began, its end, blocks repaired, blocks left or lost.
    package static let finished = Kind(rawValue: 4)
    /// It did not. Counts: how far it came, its end, blocks repaired, blocks left or lost.
    package static let interrupted = Kind(rawValue: 5)
    /// A member is not used any more. Cause: `FailureCause`. Counts: errno, device offset.
    package static let memberFailed = Kind(rawValue: 6)
    /// A member came. Cause: `ArrivalCause`.
    package static let memberAdded = Kind(rawValue: 7)
    /// A member left.
    package static let memberRemoved = Kind(rawValue: 8)
    /// A member has taken the place of another, which left.
    package static let memberReplaced = Kind(rawValue: 9)
    /// Blocks of a member were put right, in one session. Counts: blocks.
    package static let blocksRepaired = Kind(rawValue: 10)
    /// Somebody else wrote to the array since ftool did.
    package static let foreignWrite = Kind(rawValue: 11)
    /// It was written although a safety check said no. Cause: `ForcedCause`. Counts: members that lacked.
    package static let forcedWrite = Kind(rawValue: 12)
    /// What a journal held was written to its places. Counts: records, bytes.
    package static let journalReplayed = Kind(rawValue: 13)
    /// A member without sums was given room for them, and for all else of ours, anew.
    package static let regionsRenewed = Kind(rawValue: 14)
  }

  /// Why a member failed.
  package enum FailureCause: UInt32, Sendable {
    case unreadable = 1
    case unwritable = 2
    case full = 3
    case flushFailed = 4
    case gone = 5
    case truncated = 6
    /// Somebody said so.
    case declared = 7
  }

  /// As what a member came.
  package enum ArrivalCause: UInt32, Sendable {
    /// To be rebuilt in its slot.
    case rebuild = 1
    /// To replace another.
    case replacement = 2
    case spare = 3
    /// A spare was put into a slot.
    case promotion = 4
    /// It was away, and lacks only what is marked.
    case returned = 5
    /// It was out of date, and was taken back by force. Counts: bytes that it lacks.
    case forced = 6
  }

  /// What was overruled.
  package enum ForcedCause: UInt32, Sendable {
    /// Members that the array counts on were not given.
    case degraded = 1
    /// A crash had left doubt, and members were missing.
    case inDoubt = 2
    /// It was called clean to be started. Counts: members that lacked, bytes in doubt.
    case calledClean = 3
  }

  /// Counts the array's events, from 1 on.
  package var sequence: UInt64 = 0
  /// Since 1970.
  package var seconds: UInt64
  package var microseconds: UInt32
  package var kind: Kind
  /// What it means depends on the kind; 0 for none.
  package var cause: UInt32 = 0
  /// nil where it concerns no slot.
  package var slot: Int?
  /// Zero where it concerns no member.
  package var memberID = Identifier.zero
  /// What the user called the member; cut to `nameLimit` bytes.
  package var memberName = ""
  /// What they mean depends on the kind.
  package var counts: Counts

  /// Up to four numbers.
  package struct Counts: Hashable, Sendable {
    package var first: UInt64 = 0
    package var second: UInt64 = 0
    package var third: UInt64 = 0
    package var fourth: UInt64 = 0

    package init(_ first: Int = 0, _ second: Int = 0, _ third: Int = 0, _ fourth: Int = 0) {
      self.first = UInt64(max(0, first))
      self.second = UInt64(max(0, second))
      self.third = UInt64(max(0, third))
      self.fourth = UInt64(max(0, fourth))
    }
  }

  /// An event that happens now, or at another time.
  package init(
    _ kind: Kind, cause: UInt32 = 0, slot: Int? = nil, counts: Counts = Counts(),
    at time: (seconds: UInt64, microseconds: UInt32)
  ) {
    self.kind = kind
    self.cause = cause
    self.slot = slot
    self.counts = counts
    (seconds, microseconds) = time
  }
}
