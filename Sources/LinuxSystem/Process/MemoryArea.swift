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
  /// The key of pkey_mprotect(2); 0 for none.
  package var protectionKey: UInt32 = 0
  /// Its path ends as /proc marks those of files that are gone, and leads to the file all the same.
  package var isNamedDeleted = false

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
    return isBackedByFile && !isNamedDeleted && name.hasSuffix(suffix)
      ? String(name.dropLast(suffix.count)) : nil
  }
}

extension MemoryArea {
  /// A line of /proc/PID/maps; nil if it is none.
  ///
  ///     7f1c0000-7f1d0000 rw-p 00001000 08:01 1234   /path with spaces
  init?(line: ArraySlice<UInt8>) {
    var line = LineReader(rest: line)
    guard let start = line.number(16, before: UInt8(ascii: "-")),
      let end = line.number(16, before: UInt8(ascii: " ")), start < end,
      let permissions = line.word(byteCount: 4),
      let offset = line.number(16, before: UInt8(ascii: " ")),
      let major = line.number(16, before: UInt8(ascii: ":")).flatMap({ UInt32(exactly: $0) }),
      let minor = line.number(16, before: UInt8(ascii: " ")).flatMap({ UInt32(exactly: $0) }),
      let inode = line.number(10, before: UInt8(ascii: " "))
    else { return nil }
    addresses = start..<end
    var protection: Protection = []
    if permissions[0] == UInt8(ascii: "r") { protection.insert(.read) }
    if permissions[1] == UInt8(ascii: "w") { protection.insert(.write) }
    if permissions[2] == UInt8(ascii: "x") { protection.insert(.execute) }
    self.protection = protection
    isShared = permissions[3] == UInt8(ascii: "s")
    fileOffset = offset
    device = DeviceNumbers(major: major, minor: minor)
    self.inode = inode
    name = Self.unescaped(
      String(pathBytes: line.rest.drop { $0 == UInt8(ascii: " ") }))
    flags = []
  }

  /// The kernel writes a newline in a path as `\012`.
  private static func unescaped(_ name: String) -> String {
    guard name.utf8.contains(UInt8(ascii: "\\")) else { return name }
    var result = ""
    var rest = name[...]
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
    return parse(try Files.contents(of: path, limit: 256 << 20)[...])
  }

  /// The mappings in the text of `maps` or `smaps`.
  package static func parse(_ text: String) -> [MemoryArea] { parse(Array(text.utf8)[...]) }

  private static func parse(_ text: ArraySlice<UInt8>) -> [MemoryArea] {
    var areas: [MemoryArea] = []
    var rest = text
    while !rest.isEmpty {
      let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
      let line = rest[..<end]
      rest = rest[end...].dropFirst()
      // Most lines of smaps are of no interest, and their first letter says so.
      switch line.first ?? 0 {
      case UInt8(ascii: "V") where line.starts(with: flagsKey):
        if areas.isEmpty { continue }
        areas[areas.count - 1].flags = Set(
          line.dropFirst(flagsKey.count).split(separator: UInt8(ascii: " ")).map {
            String(decoding: $0, as: UTF8.self)
          })
      case UInt8(ascii: "P") where line.starts(with: protectionKeyKey):
        if areas.isEmpty { continue }
        let number = line.split(separator: UInt8(ascii: " ")).last ?? []
        areas[areas.count - 1].protectionKey = UInt32(String(decoding: number, as: UTF8.self)) ?? 0
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"):
        if let area = MemoryArea(line: line) { areas.append(area) }
      default:
        continue
      }
    }
    return areas
  }

  private static let flagsKey = Array("VmFlags:".utf8)
  private static let protectionKeyKey = Array("ProtectionKey:".utf8)
}

/// Takes a line apart from its start.
private struct LineReader {
  var rest: ArraySlice<UInt8>

  /// A number and what ends it, which may be the end of the line; nil if there is none, or one too large.
  mutating func number(_ radix: UInt64, before end: UInt8) -> UInt64? {
    var value: UInt64 = 0
    var index = rest.startIndex
    while index < rest.endIndex, rest[index] != end {
      let digit: UInt64
      switch rest[index] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = UInt64(rest[index] - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"):
        digit = UInt64(rest[index] - UInt8(ascii: "a") + 10)
      default: return nil
      }
      let (product, overflow) = value.multipliedReportingOverflow(by: radix)
      let (sum, carry) = product.addingReportingOverflow(digit)
      guard digit < radix, !overflow, !carry else { return nil }
      value = sum
      index += 1
    }
    guard index > rest.startIndex else { return nil }
    rest = rest[index...].dropFirst()
    return value
  }

  /// So many bytes and the space behind them.
  mutating func word(byteCount: Int) -> [UInt8]? {
    guard rest.count > byteCount, rest[rest.startIndex + byteCount] == UInt8(ascii: " ") else {
      return nil
    }
    let word = Array(rest.prefix(byteCount))
    rest = rest.dropFirst(byteCount + 1)
    return word
  }
}
