import BinaryCodec
import LinuxSystem

/// signalfd(2): reads the signals that wait for whoever reads it. The signals are the processes' own.
enum SignalDescriptor: DescriptorKind {
  static let name = "signalfd"

  struct Detail: FieldCoded, Equatable {
    /// Bit n - 1 for signal n.
    var mask: UInt64 = 0

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &mask)
    }
  }

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    seen.info.link == "anon_inode:[signalfd]"
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    guard let mask = seen.info.number("sigmask", radix: 16) else {
      throw seen.obstacle("this kernel does not tell which signals it is for")
    }
    var detail = Detail()
    detail.mask = mask
    return detail.encoded()
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    return try about(nil) { () throws(SystemCallError) in
      try OwnedDescriptor.signals(detail.mask, flags: state.flags & OpenFlags.nonBlocking)
    }
  }
}

extension SignalDescriptor {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    guard let detail = try? Detail(decoding: state.detail[...]) else { return nil }
    let numbers = (1...64).filter { detail.mask >> UInt64($0 - 1) & 1 == 1 }.map { "\($0)" }
    return "signals \(numbers.joined(separator: ", "))"
  }
}
