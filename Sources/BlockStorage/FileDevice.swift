import LinuxSystem
import SystemPackage

/// A file or a disk.
package final class FileDevice: BlockDevice {
  /// The path by which it was opened.
  package let name: String
  /// Its size when it was opened: a file that grows is used no further.
  package let byteCount: Int
  /// The device's logical sector, 512 for a file; past the page cache no less than what requests must be aligned
  /// to.
  package let sectorByteCount: Int
  /// Whether it is a regular file or a block device.
  package let kind: FileKind
  /// Which file or device it is, whatever the path.
  package let identity: FileIdentity
  /// Whether it goes past the page cache.
  package var isDirect: Bool { descriptor.isDirect }

  let descriptor: OwnedDescriptor
  /// For direct requests that are not aligned.
  let bounce: BounceBuffers?

  /// Opens a regular file or a block device; everything else throws `notBlockDevice`.
  ///
  /// Direct goes past the page cache, so that a read comes from the device and an error belongs to the
  /// request; a filesystem that cannot throws `invalidArgument`, and a file that does not end with a
  /// whole block is opened without. Exclusive refuses (`resourceBusy`) a block device that is in use.
  package static func open(
    _ path: String, access: OwnedDescriptor.Access = .readWrite, direct: Bool = false,
    exclusive: Bool = false
  ) throws(SystemCallError) -> FileDevice {
    // Asked before opening, which for a pipe or a tape would wait or do something.
    let kind = try Files.kind(of: path)
    guard kind == .regular || kind == .block else {
      throw SystemCallError(call: "open", subject: path, errno: .notBlockDevice)
    }
    let options: OwnedDescriptor.Options = exclusive && kind == .block ? .exclusive : []
    var descriptor = try OwnedDescriptor.open(path, access: access, options: options)
    let alignment = direct ? try descriptor.directAlignment : 1
    if direct, try descriptor.size % alignment == 0 { try descriptor.becomeDirect() }
    return try FileDevice(descriptor, alignment: alignment)
  }

  /// Takes over an open file.
  private init(
    _ descriptor: consuming OwnedDescriptor, alignment: Int
  ) throws(SystemCallError) {
    let status = try descriptor.status
    guard status.kind == .regular || status.kind == .block else {
      throw SystemCallError(call: "open", subject: descriptor.name, errno: .notBlockDevice)
    }
    name = descriptor.name
    kind = status.kind
    identity = status.identity
    byteCount = try descriptor.size
    sectorByteCount = max(try descriptor.sectorSize, descriptor.isDirect ? alignment : 1)
    bounce = descriptor.isDirect ? BounceBuffers(alignment: alignment) : nil
    self.descriptor = descriptor
  }

  package func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try requireInside(offset, range.count)
    if let bounce, !bounce.isAligned(buffer.bytes, range, offset) {
      return try readUnaligned(bounce, into: &buffer, range: range, at: offset)
    }
    let count: Int
    do throws(SystemCallError) {
      count = try descriptor.read(into: &buffer, range: range, at: offset)
    } catch {
      throw DeviceError(reading: offset, error)
    }
    try requireWhole(count, of: range.count, at: offset)
  }

  package func read(
    into buffer: inout MutableRawSpan, pieces: [Range<Int>], at offset: Int
  ) throws(DeviceError) {
    let wanted = byteCount(of: pieces)
    try requireInside(offset, wanted)
    if let bounce, !bounce.isAligned(buffer.bytes, pieces, offset) {
      return try eachPiece(pieces, at: offset) { piece, offset throws(DeviceError) in
        try read(into: &buffer, range: piece, at: offset)
      }
    }
    let count: Int
    do throws(SystemCallError) {
      count = try descriptor.read(into: &buffer, pieces: pieces, at: offset)
    } catch {
      throw DeviceError(reading: offset, error)
    }
    try requireWhole(count, of: wanted, at: offset)
  }

  package func write(
    _ buffer: RawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try requireInside(offset, range.count)
    if let bounce, !bounce.isAligned(buffer, range, offset) {
      return try writeUnaligned(bounce, buffer, range: range, at: offset)
    }
    try requireWhole()
    do throws(SystemCallError) {
      try descriptor.write(buffer, range: range, at: offset)
    } catch {
      throw DeviceError(writing: offset, error)
    }
  }

  package func write(
    _ buffer: RawSpan, pieces: [Range<Int>], at offset: Int
  ) throws(DeviceError) {
    try requireInside(offset, byteCount(of: pieces))
    if let bounce, !bounce.isAligned(buffer, pieces, offset) {
      return try eachPiece(pieces, at: offset) { piece, offset throws(DeviceError) in
        try write(buffer, range: piece, at: offset)
      }
    }
    try requireWhole()
    do throws(SystemCallError) {
      try descriptor.write(buffer, pieces: pieces, at: offset)
    } catch {
      throw DeviceError(writing: offset, error)
    }
  }

  package func flush() throws(DeviceError) {
    do throws(SystemCallError) {
      try descriptor.synchronize()
    } catch {
      throw DeviceError(flushing: error)
    }
    try requireWhole()
  }

  /// Throws `truncated` when the file became shorter than it was: writing past its end would make a new
  /// file of zeros of it, and nobody would know.
  func requireWhole() throws(DeviceError) {
    guard kind == .regular else { return }
    let present: Int
    do throws(SystemCallError) {
      present = try descriptor.size
    } catch {
      throw .gone(error.errno)
    }
    if present < byteCount { throw .truncated(offset: present) }
  }

  /// Throws `truncated` when a transfer met the end of the file, which nobody asked for.
  private func requireWhole(
    _ count: Int, of wanted: Int, at offset: Int
  ) throws(DeviceError) {
    if count == wanted { return }
    try requireWhole()  // says where it ends now
    throw .truncated(offset: offset + count)
  }

  private func eachPiece(
    _ pieces: [Range<Int>], at offset: Int,
    _ transfer: (Range<Int>, Int) throws(DeviceError) -> Void
  ) throws(DeviceError) {
    var offset = offset
    for piece in pieces {
      try transfer(piece, offset)
      offset += piece.count
    }
  }
}
