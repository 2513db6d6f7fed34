import BinaryCodec

/// Everything that a checkpoint knows but for the pages of memory and the contents of files.
package struct CheckpointState: FieldCoded, Equatable, Sendable {
  /// When the processes were stopped: seconds since 1970.
  package var savedAt: UInt64 = 0
  /// And nanoseconds.
  package var savedAtNanoseconds: UInt32 = 0
  /// Where: the kernel's release.
  package var kernel = ""
  /// And the host's name.
  package var host = ""
  /// CLOCK_MONOTONIC at that moment, in nanoseconds.
  package var monotonicNanoseconds: UInt64 = 0
  /// And CLOCK_BOOTTIME.
  package var boottimeNanoseconds: UInt64 = 0
  /// Parents before their children; the first is the root.
  package var processes: [ProcessState] = []
  /// What descriptors stand for, by number.
  package var descriptions: [DescriptionState] = []
  /// Memory that several mappings share, by number.
  package var objects: [ObjectState] = []
  /// What the processor could do, with spaces between; see `ProcessorFeatures`.
  package var processorFeatures = ""

  /// Of no processes.
  package init() {}

  /// Fields as man/ftool-checkpoint-format.5 has them.
  package mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &savedAt)
    try coder.field(2, &savedAtNanoseconds)
    try coder.field(3, &kernel, isOptional: true)
    try coder.field(4, &host, isOptional: true)
    try coder.field(5, &monotonicNanoseconds)
    try coder.field(6, &boottimeNanoseconds)
    try coder.field(7, &processes)
    try coder.field(8, &descriptions)
    try coder.field(9, &objects)
    try coder.field(10, &processorFeatures, isOptional: true)
  }

  /// Which memory a block of pages belongs to: process n has space n, object n the one behind all processes.
  package func space(ofProcess index: Int) -> UInt32 { UInt32(index) }
  /// See `space(ofProcess:)`.
  package func space(ofObject index: Int) -> UInt32 { UInt32(processes.count + index) }
}

/// An open file description: what descriptors made by dup and fork share.
package struct DescriptionState: FieldCoded, Equatable, Sendable {
  /// Which kind it is; see `ResourceKinds`.
  package var kind = ""
  /// Status flags of open(2), access mode included.
  package var flags: UInt32 = 0
  /// Where the next read or write begins, in bytes.
  package var position: UInt64 = 0
  /// What the kind keeps of it.
  package var detail: [UInt8] = []
  /// Who gets a signal when something happens (F_SETOWN_EX): 0 a thread, 1 a process, 2 a group; and its
  /// number. Empty for nobody.
  package var owner: [UInt64] = []
  /// Which signal; 0 for the usual one.
  package var ownerSignal: UInt32 = 0
  /// Locks of flock(2) and of the open file description.
  package var locks: [LockState] = []

  /// Of no kind yet.
  package init() {}

  /// See `FieldCoded`.
  package mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &kind)
    try coder.field(2, &flags)
    try coder.field(3, &position)
    try coder.field(4, &detail)
    try coder.field(5, &owner)
    try coder.field(6, &ownerSignal)
    try coder.field(7, &locks)
  }
}

/// A lock on a file.
package struct LockState: FieldCoded, Equatable, Sendable {
  /// Who has it.
  package enum Kind: UInt8, Sendable {
    /// flock(2).
    case whole = 0
    /// fcntl(2), of the process or of the open file description.
    case process = 1
    case description = 2
  }

  /// By which call it was taken.
  package var kind = Kind.whole
  /// For writing.
  package var isExclusive = false
  /// First byte, and how many; 0 for all that follow.
  package var start: UInt64 = 0
  /// See `start`.
  package var byteCount: UInt64 = 0

  /// A shared lock on a whole file.
  package init() {}

  package mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &kind)
    try coder.field(2, &isExclusive)
    try coder.field(3, &start)
    try coder.field(4, &byteCount)
  }
}
