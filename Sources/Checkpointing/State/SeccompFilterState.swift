import BinaryCodec

/// A seccomp filter: a classic BPF program that says which system calls a thread may make.
package struct SeccompFilterState: FieldCoded, Equatable, Sendable {
  /// `struct sock_filter` after `struct sock_filter`, eight bytes each.
  package var program: [UInt8] = []
  /// SECCOMP_FILTER_FLAG_LOG or nothing.
  package var flags: UInt64 = 0

  package init() {}

  package mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &program)
    try coder.field(2, &flags)
    if !coder.isReading { return }
    // BPF_MAXINSNS
    guard !program.isEmpty, program.count % 8 == 0, program.count <= 4096 * 8 else {
      throw .outOfRange(1)
    }
    guard flags & ~0x2 == 0 else { throw .outOfRange(2) }
  }
}
