/// One mapping of a process, as /proc/PID/smaps tells of it.
package struct MemoryArea: Equatable, Sendable {
  /// Its addresses, from the first byte to behind the last one.
  package var addresses: Range<UInt64>
  package var protection: Protection
  /// Whether what is written there is seen by others who map the same.
  package var isShared: Bool
  /// Where in the file it begins, in bytes.
  package var fileOffset: UInt64
  /// The device and inode of the file behind it, as /proc writes them; 0 for none.
  package var device: DeviceNumbers
  package var inode: UInt64
  /// The file's path, or a name such as `[heap]`; empty for memory without a name.
  package var name: String
  /// The kernel's two-letter flags (VmFlags); empty where only `maps` was read.
  package var flags: Set<String>

  package struct Protection: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package static let read = Protection(rawValue: 1)
    package static let write = Protection(rawValue: 2)
    package static let execute = Protection(rawValue: 4)
  }

  package struct DeviceNumbers: Hashable, Sendable {
    package var major: UInt32
    package var minor: UInt32
    package init(major: UInt32, minor: UInt32) {
      self.major = major
      self.minor = minor
    }
  }

  package var byteCount: UInt64 { addresses.upperBound - addresses.lowerBound }
  package var isBackedByFile: Bool { inode != 0 }
  /// The path, when what it led to has no name any more.
  package var deletedPath: String? {
    let suffix = " (deleted)"
    return isBackedByFile && name.hasSuffix(suffix) ? String(name.dropLast(suffix.count)) : nil
  }
}

extension MemoryArea {
  /// A line of /proc/PID/maps; nil if it is none.
  ///
  ///     7f1c0000-7f1d0000 rw-p 00001000 08:01 1234   /path with spaces
  init?(line: Substring) {
    let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
    guard fields.count >= 5 else { return nil }
    let ends = fields[0].split(separator: "-")
    let numbers = fields[3].split(separator: ":")
    guard ends.count == 2, let start = UInt64(ends[0], radix: 16),
      let end = UInt64(ends[1], radix: 16), start < end, fields[1].utf8.count == 4,
      let offset = UInt64(fields[2], radix: 16), numbers.count == 2,
      let major = UInt32(numbers[0], radix: 16), let minor = UInt32(numbers[1], radix: 16),
      let inode = UInt64(fields[4])
    else { return nil }
    addresses = start..<end
    let permissions = Array(fields[1].utf8)
    var protection: Protection = []
    if permissions[0] == UInt8(ascii: "r") { protection.insert(.read) }
    if permissions[1] == UInt8(ascii: "w") { protection.insert(.write) }
    if permissions[2] == UInt8(ascii: "x") { protection.insert(.execute) }
    self.protection = protection
    isShared = permissions[3] == UInt8(ascii: "s")
    fileOffset = offset
    device = DeviceNumbers(major: major, minor: minor)
    self.inode = inode
    name = fields.count > 5 ? Self.unescaped(fields[5].drop { $0 == " " }) : ""
    flags = []
  }

  /// The kernel writes a newline in a path as `\012`.
  private static func unescaped(_ name: Substring) -> String {
    guard name.contains("\\012") else { return String(name) }
    var result = ""
    var rest = name
    while let escape = rest.firstRange(of: "\\012") {
      result += rest[..<escape.lowerBound] + "\n"
      rest = rest[escape.upperBound...]
    }
    return result + rest
  }

  /// All mappings of a process, by address. With flags it costs 18 ms for each GiB of small pages, without
  /// next to nothing.
  package static func all(
    of process: ProcessID, withFlags: Bool = true
  ) throws(SystemCallError) -> [MemoryArea] {
    let path = "\(process.folder)/\(withFlags ? "smaps" : "maps")"
    let text = String(decoding: try Files.contents(of: path, limit: 256 << 20), as: UTF8.self)
    return parse(text)
  }

  /// The mappings in the text of `maps` or `smaps`.
  package static func parse(_ text: String) -> [MemoryArea] {
    var areas: [MemoryArea] = []
    for line in text.split(separator: "\n") {
      if line.hasPrefix("VmFlags:") {
        if !areas.isEmpty {
          areas[areas.count - 1].flags = Set(
            line.dropFirst(8).split(separator: " ").map(String.init))
        }
      } else if line.first?.isHexDigit == true, line.contains("-"),
        let area = MemoryArea(line: line)
      {
        areas.append(area)
      }
    }
    return areas
  }
}
