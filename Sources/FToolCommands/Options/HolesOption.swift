import ArgumentParser
import BlockStorage
import Raid

/// Which images of members were copied from failing disks, and the maps of what could be read of them.
package struct HolesOption: ParsableArguments {
  /// A member's image and its map.
  package struct Hole: Equatable, Sendable {
    /// As it is named among the operands.
    package var member: String
    /// The path of ddrescue's map of it.
    package var map: String
  }

  /// In the order in which they were given.
  @Option(
    name: .long,
    help: ArgumentHelp(
      "What this map of GNU ddrescue's says was not rescued of the member's image cannot be read.",
      valueName: "member=map"),
    transform: HolesOption.parse)
  package var holes: [Hole] = []

  package init() {}

  package func validate() throws {
    for (index, hole) in holes.enumerated()
    where holes[..<index].contains(where: { $0.member == hole.member }) {
      throw ValidationError("--holes names '\(hole.member)' twice")
    }
  }

  private static func parse(_ text: String) throws -> Hole {
    guard let cut = text.lastIndex(of: "="), cut > text.startIndex,
      text.index(after: cut) < text.endIndex
    else { throw ValidationError("'\(text)' is not MEMBER=MAP") }
    return Hole(member: String(text[..<cut]), map: String(text[text.index(after: cut)...]))
  }

  /// The same devices, where those that have a map are as whole as it says.
  func hide(in devices: [any BlockDevice]) throws(Failure) -> [any BlockDevice] {
    var devices = devices
    for hole in holes {
      guard let index = devices.firstIndex(where: { $0.name == hole.member }) else {
        throw Failure(
          .usage, "--holes names '\(hole.member)', which is none of the members that are read",
          hint: "name it as it is named among them: \(devices.map(\.name).joined(separator: ", "))")
      }
      let map = try RescueMapFile.load(ofImage: hole.map)
      let device = devices[index]
      guard map.byteCount >= device.byteCount else {
        throw Failure(
          .usage,
          "\(hole.map) tells of \(ByteSize(map.byteCount).exactDescription), and \(device.name) has "
            + "\(ByteSize(device.byteCount).exactDescription)",
          hint: "give the map that ddrescue wrote with this image")
      }
      devices[index] = RescuedDevice(device, map: map)
    }
    return devices
  }
}
