import BinaryCodec

extension CheckpointState {
  /// What people know an open file description by, such as its path; nil where its kind says it all.
  package func summary(ofDescription index: Int) -> String? {
    guard descriptions.indices.contains(index) else { return nil }
    let description = descriptions[index]
    let bytes = description.detail[...]
    return switch description.kind {
    case RegularFile.name: (try? RegularFile.Detail(decoding: bytes))?.path
    case DeviceFile.name: (try? DeviceFile.Detail(decoding: bytes))?.path
    case ExternalFile.name: (try? ExternalFile.Detail(decoding: bytes))?.link
    case PipeEnd.name: (try? PipeEnd.Detail(decoding: bytes)).map { "pipe:[\($0.pipe)]" }
    default: nil
    }
  }
}
