import BinaryCodec

/// What a process has together with another one without being a thread of it (clone(2)): for each thing the
/// first process of the tree that has it, or 0 where that is itself or nobody.
package struct SharingState: FieldCoded, Equatable, Sendable {
  /// CLONE_VM
  package var memory: Int32 = 0
  /// CLONE_FILES
  package var descriptors: Int32 = 0
  /// CLONE_FS
  package var filesystem: Int32 = 0
  /// CLONE_SIGHAND
  package var signalActions: Int32 = 0

  package init() {}

  /// Each with the flag by which clone(2) shares it.
  package var things: [(flag: UInt64, owner: Int32)] {
    [(0x100, memory), (0x200, filesystem), (0x400, descriptors), (0x800, signalActions)]
  }

  package mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &memory)
    try coder.field(2, &descriptors)
    try coder.field(3, &filesystem)
    try coder.field(4, &signalActions)
  }
}
