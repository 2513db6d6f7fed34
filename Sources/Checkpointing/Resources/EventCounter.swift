import BinaryCodec
import LinuxSystem

/// eventfd(2): a number that is added to and taken from.
enum EventCounter: DescriptorKind {
  static let name = "eventfd"

  struct Detail: FieldCoded, Equatable {
    var count: UInt64 = 0
    var isSemaphore = false

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &count)
      try coder.field(2, &isSemaphore)
    }
  }

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    seen.info.link == "anon_inode:[eventfd]"
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    guard let count = seen.info.number("eventfd-count", radix: 16),
      let semaphore = seen.info.number("eventfd-semaphore")
    else {
      throw seen.obstacle(
        "this kernel does not tell how it counts", remedy: "use Linux 6.5 or later")
    }
    var detail = Detail()
    detail.count = count
    detail.isSemaphore = semaphore == 1
    return detail.encoded()
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    guard detail.count < .max else { throw .malformed(.outOfRange(1)) }
    return try about(nil) { () throws(SystemCallError) in
      try OwnedDescriptor.eventCounter(
        detail.count,
        flags: state.flags & OpenFlags.nonBlocking | (detail.isSemaphore ? 1 : 0))
    }
  }
}

extension EventCounter {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    guard let detail = try? Detail(decoding: state.detail[...]) else { return nil }
    return (detail.isSemaphore ? "semaphore, " : "") + "count \(detail.count)"
  }
}
