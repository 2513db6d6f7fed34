import LinuxSystem
import SystemPackage

/// Why a member's path leads to no device.
package enum MemberPathError: Error, Equatable, Sendable {
  /// `missing` stands for no device at all.
  case isMissing
  /// What stands after `@` or `#p` is no offset, size or number.
  case malformed(String)
  case cannotOpen(SystemCallError)
  /// The part begins or ends past the device's end.
  case outside(byteCount: Int)
  /// The table has no such partition, but these.
  case noSuchPartition(Int, present: [Int])
  case partitionTable(PartitionTableError)
}

/// A member as people name it: `PATH`, `PATH@OFFSET`, `PATH@OFFSET+SIZE`, `PATH#pN` or `missing`.
///
/// A path that exists wins, whatever its name looks like.
package struct MemberPath: Equatable, Sendable, CustomStringConvertible {
  /// Which part of the file or device is meant.
  package enum Part: Equatable, Sendable {
    case whole
    case bytes(offset: Int, byteCount: Int?)
    case partition(Int)
    /// No device: the place of a member that is not there.
    case missing
  }

  /// As the user wrote it.
  package let text: String
  /// The file or device alone; empty for `missing`.
  package let path: String
  /// Which bytes of it.
  package let part: Part

  /// Whether it is the word `missing`, for a place without a member.
  package var isMissing: Bool { part == .missing }
  package var description: String { text }

  /// Takes the text for the path of what exists; only where nothing does, for one with a part behind it.
  /// - Throws: `malformed` where what stands before the last `@` or `#` exists and what follows means no part of
  ///   it.
  package init(
    parsing text: String, exists: (String) -> Bool = Files.exists
  ) throws(MemberPathError) {
    self.text = text
    if exists(text) {
      (path, part) = (text, .whole)
    } else if text == "missing" {
      (path, part) = ("", .missing)
    } else if let (path, number) = Self.split(text, at: "#"), number.hasPrefix("p"), exists(path) {
      guard let number = Self.number(number.dropFirst()), number > 0 else {
        throw .malformed(text)
      }
      (self.path, part) = (path, .partition(number))
    } else if let (path, window) = Self.split(text, at: "@"), exists(path) {
      guard let part = Self.window(window) else { throw .malformed(text) }
      (self.path, self.part) = (path, part)
    } else {
      (path, part) = (text, .whole)  // to be made, or to be missed by whoever opens it
    }
  }

  /// The device, opened.
  package func open(
    access: OwnedDescriptor.Access = .readWrite, direct: Bool = false, exclusive: Bool = false
  ) throws(MemberPathError) -> any BlockDevice {
    if isMissing { throw .isMissing }
    let file: FileDevice
    do throws(SystemCallError) {
      file = try FileDevice.open(path, access: access, direct: direct, exclusive: exclusive)
    } catch {
      throw .cannotOpen(error)
    }
    guard let range = try range(in: file) else { return file }
    return DeviceWindow(file, range: range, name: text)
  }

  /// The bytes that the part means in this device; nil for all of them.
  package func range(in device: any BlockDevice) throws(MemberPathError) -> Range<Int>? {
    switch part {
    case .missing: throw .isMissing
    case .whole: return nil
    case .bytes(let offset, let byteCount):
      let (end, overflow) = offset.addingReportingOverflow(byteCount ?? device.byteCount - offset)
      guard offset >= 0, !overflow, offset <= device.byteCount, end <= device.byteCount else {
        throw .outside(byteCount: device.byteCount)
      }
      return offset..<end
    case .partition(let number):
      return try partition(number, of: device)
    }
  }

  private func partition(
    _ number: Int, of device: any BlockDevice
  ) throws(MemberPathError) -> Range<Int> {
    let partitions: [Partition]
    do throws(PartitionTableError) {
      partitions = try PartitionTable.partitions(on: device)
    } catch {
      throw .partitionTable(error)
    }
    guard let partition = partitions.first(where: { $0.number == number }) else {
      throw .noSuchPartition(number, present: partitions.map(\.number))
    }
    if partition.range.upperBound > device.byteCount {
      throw .outside(byteCount: device.byteCount)
    }
    return partition.range
  }

  /// What stands before and after the last separator; nil without one.
  private static func split(_ text: String, at separator: Character) -> (String, Substring)? {
    guard let index = text.lastIndex(of: separator), index > text.startIndex else { return nil }
    return (String(text[..<index]), text[text.index(after: index)...])
  }

  private static func window(_ text: Substring) -> Part? {
    let parts = text.split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first, let offset = parseByteCount(String(first)) else { return nil }
    if parts.count == 1 { return .bytes(offset: offset, byteCount: nil) }
    guard let byteCount = parseByteCount(String(parts[1])), byteCount > 0 else { return nil }
    return .bytes(offset: offset, byteCount: byteCount)
  }

  /// Decimal digits and nothing else (`Int` takes a sign as well).
  private static func number(_ text: Substring) -> Int? {
    text.utf8.allSatisfy { 48...57 ~= $0 } ? Int(text) : nil
  }
}
