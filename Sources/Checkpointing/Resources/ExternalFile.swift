import BinaryCodec
import LinuxSystem

/// Standard input, output or error that leads out of the tree: a terminal, a pipe into another program, the
/// socket of a log. It can't be saved; what restores the tree gives another in its place.
enum ExternalFile: DescriptorKind {
  static let name = "external"

  struct Detail: FieldCoded, Equatable {
    /// 0, 1 or 2: where it was found first.
    var number: Int32 = 0
    /// What it was, for people.
    var link = ""

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &number)
      try coder.field(2, &link)
    }
  }

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    guard (0...2).contains(seen.info.number) else { return false }
    switch seen.details.kind {
    case .character: return !DeviceFile.recognises(seen) && !PseudoTerminal.recognises(seen)
    case .socket: return !UnixSocket.recognises(seen) && !InternetSocket.recognises(seen)
    default: return false
    }
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] { detail(of: seen) }

  static func detail(of seen: SeenDescriptor) -> [UInt8] {
    var detail = Detail()
    detail.number = seen.info.number
    detail.link = seen.info.link
    return detail.encoded()
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    guard (0...2).contains(detail.number) else { throw .malformed(.outOfRange(1)) }
    return try about(nil) { () throws(SystemCallError) in
      try restoration.standardDescriptor(duplicating: detail.number)
    }
  }
}

extension ExternalFile {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    guard let detail = try? Detail(decoding: state.detail[...]) else { return nil }
    return "leads outside: \(detail.link)"
  }
}
