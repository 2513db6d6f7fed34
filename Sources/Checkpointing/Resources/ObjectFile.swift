import BinaryCodec
import LinuxSystem

/// A file that is open and that no path leads to, so that its content is in the checkpoint: one that was
/// removed, one that never had a name, or memory of memfd_create(2).
enum ObjectFile: DescriptorKind {
  static let name = "object"

  struct Detail: FieldCoded, Equatable {
    var object: UInt32 = 0

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &object)
    }
  }

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    seen.details.kind == .regular && seen.details.linkCount == 0
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    var detail = Detail()
    detail.object = try tree.objects.number(
      ofFile: "\(seen.process.folder)/fd/\(seen.info.number)", named: seen.info.link,
      in: seen.process)
    return detail.encoded()
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    let object = try restoration.object(Int(detail.object))
    let flags = state.flags & ~(temporary | flagsOfTheFirstTime)
    let file = try object.reopen(flags: flags)
    if flags & OpenFlags.pathOnly == 0 {
      do throws(SystemCallError) {
        try file.seek(to: state.position)
      } catch {
        throw .system(error, process: nil)
      }
    }
    return file
  }

  /// O_TMPFILE
  private static let temporary: UInt32 = 0o20200000
  /// O_CREAT, O_EXCL, O_TRUNC, O_NOCTTY, O_NOFOLLOW
  private static let flagsOfTheFirstTime: UInt32 = 0o100 | 0o200 | 0o1000 | 0o400 | 0o400000
}

extension ObjectFile {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    guard let detail = try? Detail(decoding: state.detail[...]) else { return nil }
    guard checkpoint.objects.indices.contains(Int(detail.object)) else { return nil }
    let object = checkpoint.objects[Int(detail.object)]
    return switch object.kind {
    case .memoryFile: "memory: \(object.name)"
    case .deletedFile: "\(object.name), removed; with its content"
    case .namelessFile: "a file without a name, with its content"
    default: object.name
    }
  }
}
