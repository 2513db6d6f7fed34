import BlockStorage
import LinuxSystem
import Raid

/// Members by the paths that a user gives them, which need not be those under which they were found.
extension ArraySession {
  /// A member that was found or given, used or not.
  struct FoundMember {
    let probe: MemberProbe
    let standing: Assembly.Standing

    var name: String { probe.name }
  }

  /// What the array calls the member at this path; the path itself where it is none that was found.
  func name(ofMember path: String) -> String { member(at: path)?.name ?? path }

  /// The member at this path, if it is one that was found.
  func member(at path: String) -> FoundMember? {
    let assembly = array.assembly
    let index =
      assembly.members.firstIndex { $0.name == path }
      ?? Self.place(path).flatMap { place in
        assembly.members.firstIndex { Self.place($0.device) == place }
      }
    return index.map { .init(probe: assembly.members[$0], standing: assembly.standings[$0]) }
  }

  /// A device at this path that was given, is held, and says too little to be a member.
  func leftOut(at path: String) -> (any BlockDevice)? {
    let devices = array.assembly.unusable.map(\.device)
    return devices.first { $0.name == path }
      ?? Self.place(path).flatMap { place in devices.first { Self.place($0) == place } }
  }

  /// Which bytes of which file.
  private struct Place: Equatable {
    let file: FileIdentity
    let range: Range<Int>
  }

  private static func place(_ text: String) -> Place? {
    guard let path = try? MemberPath(parsing: text),
      let device = try? path.open(access: .readOnly)
    else { return nil }
    return place(device)
  }

  private static func place(_ device: any BlockDevice) -> Place? {
    MemberFiles.file(of: device).map { Place(file: $0.0.identity, range: $0.1) }
  }
}
