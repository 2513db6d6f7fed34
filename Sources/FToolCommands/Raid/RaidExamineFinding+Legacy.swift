import BinaryCodec
import LinuxSystem
import MDFormat

/// A 0.90 superblock in the lines of `mdadm --examine` (mdadm 4.2; super0.c).
extension RaidExamineFinding {
  var legacyLines: [String] {
    guard let legacy = superblock.legacy else { return [] }
    return identityLines(legacy) + [""] + reshapeLines(legacy) + stateLines(legacy) + [""]
      + layoutLines + [""] + tableLines(legacy)
  }

  private func identityLines(_ legacy: MDLegacyDetails) -> [String] {
    var lines = [
      Self.line("Magic", "a92b4efc"),
      Self.line(
        "Version", "0.\(Self.twoDigits(legacy.minorVersion)).\(Self.twoDigits(legacy.patchVersion))"
      ),
      Self.line("UUID", superblock.arrayID.description),
    ]
    if isNotPersistent { lines.append(Self.line("Eedk", "not persistent")) }
    lines += [
      Self.line("Creation Time", Self.date(superblock.creationSeconds)),
      Self.line("Raid Level", Self.levelName(superblock)),
    ]
    if superblock.level > 0 {
      let used = superblock.sizeSectors
      lines.append(Self.line("Used Dev Size", "\(used / 2)" + Self.size(sectors: used)))
      if let array = arrayByteCount {
        lines.append(Self.line("Array Size", "\(array >> 10)" + Self.size(array)))
      }
    }
    return lines + [
      Self.line("Raid Devices", "\(superblock.slotCount)"),
      Self.line("Total Devices", "\(legacy.deviceCount)"),
      Self.line("Preferred Minor", "\(legacy.preferredMinor)"),
    ]
  }

  private func reshapeLines(_ legacy: MDLegacyDetails) -> [String] {
    legacy.minorVersion > 90 && superblock.reshape.positionSectors != MDSuperblock.allOnes
      ? reshapeLines + [""] : []
  }

  private func stateLines(_ legacy: MDLegacyDetails) -> [String] {
    var lines = [
      Self.line("Update Time", Self.date(superblock.updateSeconds)),
      Self.line("State", legacy.state & 1 != 0 ? "clean" : "active"),
    ]
    if superblock.features.contains(.bitmap) {
      lines.append(Self.line("Internal Bitmap", "present"))
    }
    return lines + [
      Self.line("Active Devices", "\(legacy.activeCount)"),
      Self.line("Working Devices", "\(legacy.workingCount)"),
      Self.line("Failed Devices", "\(legacy.failedCount)"),
      Self.line("Spare Devices", "\(legacy.spareCount)"),
      Self.line("Checksum", "\(Self.hexadecimal(legacy.checksum)) - correct"),
      Self.line("Events", "\(superblock.events)"),
    ]
  }

  private func tableLines(_ legacy: MDLegacyDetails) -> [String] {
    let slots = max(superblock.slotCount, superblock.previousSlotCount)
    let count = min(legacy.devices.count, slots + Int(min(legacy.spareCount, 27)))
    var lines = [
      "      Number   Major   Minor   RaidDevice State", Self.row("this", legacy.thisDevice), "",
    ]
    for (number, device) in legacy.devices.prefix(count).enumerated() {
      lines.append(Self.row(Self.padded("\(number)", 4), device))
    }
    return lines
  }

  private static func row(_ name: String, _ device: MDLegacyDetails.Device) -> String {
    var text = "\(name) \(padded("\(device.number)", 5))   \(padded("\(device.major)", 5))    "
    text += "\(padded("\(device.minor)", 5))    \(padded("\(device.slot)", 5))     "
    text += stateNames(device.state).map { " \($0)" }.joined()
    // Where the device is today, if this machine has one of these numbers.
    if device.major != 0 || device.minor != 0,
      let path = try? Files.realPath("/dev/block/\(device.major):\(device.minor)")
    {
      text += "   \(path)"
    }
    return text
  }

  static func stateNames(_ state: MDLegacyDetails.State) -> [String] {
    let names: [(MDLegacyDetails.State, String)] = [
      (.faulty, "faulty"), (.active, "active"), (.inSync, "sync"), (.removed, "removed"),
      (.writeMostly, "write-mostly"), (.failFast, "failfast"),
    ]
    let isSpare = state.subtracting([.writeMostly, .failFast]).rawValue == 0
    return names.filter { state.contains($0.0) }.map(\.1) + (isSpare ? ["spare"] : [])
  }

  private static func twoDigits(_ value: UInt32) -> String { value < 10 ? "0\(value)" : "\(value)" }

  private static func padded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
