import BinaryCodec
import LinuxSystem

/// A regular file or a directory that has a path.
enum RegularFile: DescriptorKind {
  static let name = "file"

  struct Detail: FieldCoded, Equatable {
    var path = ""
    /// How it looked; nil where size and time of the file say nothing.
    var fingerprint: FileFingerprint?
    var isDirectory = false
    /// One more than the object that has its content; 0 where none has.
    var object: UInt32 = 0
    /// Of a file that is appended to, how many of its last bytes have this CRC-32C: those before what was
    /// added since.
    var tailByteCount: UInt32 = 0
    var tailChecksum: UInt32 = 0

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &path)
      try coder.field(2, &fingerprint)
      try coder.field(3, &isDirectory)
      try coder.field(4, &object)
      try coder.field(5, &tailByteCount, isOptional: true)
      try coder.field(6, &tailChecksum, isOptional: true)
      guard tailByteCount <= FileTail.byteLimit else { throw .outOfRange(5) }
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
    let named = try seen.details(at: path, flags: Self.noFollow)
    guard let named, named.inode == seen.details.inode, named.device == seen.details.device else {
      throw seen.obstacle("its path does not lead to it any more, though it has another name")
    }
    var detail = Detail()
    detail.path = seen.info.link
    detail.isDirectory = seen.details.kind == .directory
    let isMadeUp = try about(seen.process) { () throws(SystemCallError) in
      try seen.copy.isMadeUp()
    }
    if detail.isDirectory || isMadeUp { return detail.encoded() }
    detail.fingerprint = FileFingerprint(seen.details)
    let file = "\(seen.process.folder)/fd/\(seen.info.number)"
    if seen.info.flags & OpenFlags.append != 0 {
      // A file that may not be read has no tail, and must not grow.
      if let tail = try? FileTail(of: OwnedDescriptor.open(file, flags: OpenFlags.readOnly)) {
        (detail.tailByteCount, detail.tailChecksum) = (tail.byteCount, tail.checksum)
      }
    }
    if tree.options.files == .copy {
      detail.object =
        try tree.objects.number(
          ofFile: file, named: path, in: seen.process, kind: .copiedFile) + 1
    }
    return detail.encoded()
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    let path = restoration.place(of: detail.path)
    // What creates or empties a file has done so once.
    let flags = state.flags & ~Self.flagsOfTheFirstTime
    let file: OwnedDescriptor
    if let made = restoration.object(atPath: detail.path) {
      file = try made.reopen(flags: flags & ~Self.noFollow)
    } else {
      file = try about(nil) { () throws(SystemCallError) in
        try OwnedDescriptor.open(path, flags: flags)
      }
    }
    do throws(SystemCallError) {
      if flags & OpenFlags.pathOnly == 0 { try file.seek(to: state.position) }
      return file
    } catch {
      throw .system(error, process: nil)
    }
  }

  /// O_CREAT, O_EXCL, O_TRUNC, O_NOCTTY
  private static let flagsOfTheFirstTime: UInt32 = 0o100 | 0o200 | 0o1000 | 0o400
  /// O_NOFOLLOW
  private static let noFollow: UInt32 = 0o400000
}

extension FileFingerprint {
  init(_ details: FileDetails) {
    byteCount = details.byteCount
    seconds = details.modified.seconds
    nanoseconds = details.modified.nanoseconds
    device = details.device
    inode = details.inode
  }
}

/// The last bytes of a file, up to some number of bytes from its start: enough to see whether all that happened
/// to it is that something was added behind them.
struct FileTail: Equatable {
  let byteCount: UInt32
  let checksum: UInt32

  static let byteLimit: UInt32 = 4096

  /// - Parameter end: how much of the file counts; nil for all.
  init(of file: borrowing OwnedDescriptor, end: UInt64? = nil) throws(SystemCallError) {
    let whole = try file.details().byteCount
    let end = min(end ?? whole, whole)
    let count = Int(min(UInt64(Self.byteLimit), end))
    var buffer = AlignedBuffer(byteCount: Int(Self.byteLimit))
    var bytes = buffer.mutableBytes
    let got = try file.read(into: &bytes, range: 0..<count, at: Int(clamping: end) - count)
    byteCount = UInt32(got)
    checksum = crc32c(buffer.bytes.sub(0..<got))
  }
}

extension RegularFile {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    guard let detail = try? Detail(decoding: state.detail[...]) else { return nil }
    return detail.path + (detail.object > 0 ? ", with its content" : "")
  }
}
