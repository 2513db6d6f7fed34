import BinaryCodec
import LinuxSystem

/// A regular file or a directory that has a path.
enum RegularFile: DescriptorKind {
  static let name = "file"

  struct Detail: FieldCoded, Equatable {
    var path = ""
    var fingerprint = FileFingerprint()
    var isDirectory = false

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &path)
      try coder.field(2, &fingerprint)
      try coder.field(3, &isDirectory)
    }
  }

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    seen.info.link.hasPrefix("/") && [.regular, .directory].contains(seen.details.kind)
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    guard seen.details.linkCount > 0 else {
      throw seen.obstacle("the directory has been removed")
    }
    let path = seen.info.link
    let named = try? OwnedDescriptor.open(path, flags: Self.pathOnly | Self.noFollow).details()
    guard let named, named.inode == seen.details.inode, named.device == seen.details.device else {
      throw seen.obstacle("its path does not lead to it any more, though it has another name")
    }
    var detail = Detail()
    detail.path = seen.info.link
    detail.fingerprint = FileFingerprint(seen.details)
    detail.isDirectory = seen.details.kind == .directory
    return detail.encoded()
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    let path = restoration.place(of: detail.path)
    // What creates or empties a file has done so once.
    let flags = state.flags & ~Self.flagsOfTheFirstTime
    return try about(nil) { () throws(SystemCallError) in
      let file = try OwnedDescriptor.open(path, flags: flags)
      if flags & Self.pathOnly == 0 { try file.seek(to: state.position) }
      return file
    }
  }

  /// O_CREAT, O_EXCL, O_TRUNC, O_NOCTTY
  private static let flagsOfTheFirstTime: UInt32 = 0o100 | 0o200 | 0o1000 | 0o400
  /// O_NOFOLLOW
  private static let noFollow: UInt32 = 0o400000
  /// O_PATH
  private static let pathOnly: UInt32 = 0o10000000
}

extension FileFingerprint {
  init(_ details: FileDetails) {
    byteCount = details.byteCount
    seconds = details.modified.seconds
    nanoseconds = details.modified.nanoseconds
  }
}
