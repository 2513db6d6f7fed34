import Glibc
import SystemPackage

/// What /proc tells of one descriptor of a process.
package struct DescriptorInfo: Sendable {
  package let number: Int32
  /// Where its link in /proc/PID/fd leads: a path, or a name such as `pipe:[123]`.
  package let link: String
  /// The lines of /proc/PID/fdinfo, each split at the colon: `pos`, `flags`, and what the kind adds.
  package let lines: [(key: String, value: String)]

  /// The descriptors that a process has open now, by number.
  package static func numbers(of process: ProcessID) throws(SystemCallError) -> [Int32] {
    try Files.list("\(process.folder)/fd").compactMap { Int32($0) }.sorted()
  }

  package init(_ number: Int32, of process: ProcessID) throws(SystemCallError) {
    self.number = number
    link = try Files.linkTarget("\(process.folder)/fd/\(number)")
    let text = String(
      decoding: try Files.contents(of: "\(process.folder)/fdinfo/\(number)"), as: UTF8.self)
    lines = text.split(separator: "\n").compactMap { line in
      guard let colon = line.firstIndex(of: ":") else { return nil }
      let value = line[line.index(after: colon)...].drop { $0 == "\t" || $0 == " " }
      return (String(line[..<colon]), String(value))
    }
  }

  /// The first line with this key.
  package func line(_ key: String) -> String? { lines.first { $0.key == key }?.value }

  /// The flags of open(2), O_CLOEXEC among them.
  package var flags: UInt32 { line("flags").flatMap { UInt32($0, radix: 8) } ?? 0 }
  /// Where the next read or write begins.
  package var position: UInt64 { line("pos").flatMap { UInt64($0) } ?? 0 }
  package var closesOnExec: Bool { flags & UInt32(O_CLOEXEC) != 0 }
}

extension Files {
  /// What a symbolic link says.
  package static func linkTarget(_ path: String) throws(SystemCallError) -> String {
    var bytes = [UInt8](repeating: 0, count: 8192)
    let capacity = bytes.count
    let count = try withCPath(path, for: "readlink") { pointer throws(SystemCallError) in
      try withAddress(of: &bytes) { (address) throws(SystemCallError) in
        try systemCall("readlink", on: path) {
          // Safe: the address is of the array, with room for as many.
          unsafe readlink(pointer, UnsafeMutablePointer<CChar>(bitPattern: address)!, capacity)
        }
      }
    }
    return String(pathBytes: bytes.prefix(count))
  }
}

extension DescriptorInfo {
  /// A line that is a number, which may be padded.
  package func number(_ key: String, radix: Int = 10) -> UInt64? {
    line(key).flatMap { text in
      UInt64(text.drop { $0 == " " }, radix: radix)
    }
  }
}
