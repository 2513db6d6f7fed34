import BinaryCodec
import LinuxSystem

/// A device that keeps nothing of who has opened it: null, zero, full, random and urandom.
enum DeviceFile: DescriptorKind {
  static let name = "device"

  struct Detail: FieldCoded, Equatable {
    var path = ""
    var major: UInt32 = 0
    var minor: UInt32 = 0

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &path)
      try coder.field(2, &major)
      try coder.field(3, &minor)
    }
  }

  /// Major 1 in Documentation/admin-guide/devices.txt: null, zero, full, random, urandom.
  private static let memoryDevices: Set<UInt32> = [3, 5, 7, 8, 9]

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    let numbers = seen.details.nodeNumbers
    return seen.details.kind == .character && numbers.major == 1
      && memoryDevices.contains(numbers.minor)
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    var detail = Detail()
    detail.path = seen.info.link
    (detail.major, detail.minor) = seen.details.nodeNumbers
    return detail.encoded()
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    let file = try about(nil) { () throws(SystemCallError) in
      try OwnedDescriptor.open(restoration.place(of: detail.path), flags: state.flags)
    }
    let found = try about(nil) { () throws(SystemCallError) in try file.details() }
    guard found.kind == .character, found.nodeNumbers == (detail.major, detail.minor) else {
      throw .obstacles([
        Obstacle(ProcessID(0), detail.path, "it is not the device that it was")
      ])
    }
    return file
  }
}

extension DeviceFile {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    guard let detail = try? Detail(decoding: state.detail[...]) else { return nil }
    return detail.path
  }
}
