import BinaryCodec
import BlockStorage
import LinuxSystem
import Raid

/// Bytes for an array, from a file or a pipe.
final class StreamSource: ByteSource {
  private let descriptor: OwnedDescriptor
  /// What a regular file has; nil for a pipe.
  let byteCount: Int?
  private let identity: FileIdentity

  /// - Parameter path: nil or `-` for standard input.
  init(_ path: String?) throws(Failure) {
    let isDirectory: Bool
    do throws(SystemCallError) {
      if let path, path != "-" {
        descriptor = try OwnedDescriptor.open(path, access: .readOnly)
      } else {
        descriptor = try OwnedDescriptor.standardInput()
      }
      let kind = try descriptor.kind
      byteCount = kind == .regular || kind == .block ? try descriptor.size : nil
      identity = try descriptor.identity
      // Where standard input was closed, a placeholder says so when it is read.
      isDirectory = kind == .directory && path != nil && path != "-"
      descriptor.advise(.sequential)
    } catch {
      throw Failure(error)
    }
    if isDirectory { throw Failure(.usage, "\(descriptor.name) is a directory") }
  }

  /// Refuses to read what is about to be written.
  func requireNoMember(of members: MemberFiles) throws(Failure) {
    try members.requireNoMember(identity, named: descriptor.name)
  }

  func read(into bytes: inout MutableRawSpan, range: Range<Int>) throws(SystemCallError) -> Int {
    try descriptor.readStream(into: &bytes, range: range)
  }
}

/// Bytes of an array on their way to standard output or a device: all of them.
final class StreamSink: ByteSink {
  private let descriptor: OwnedDescriptor

  private let written = Monitor(0)

  init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

  /// How much has gone out, also of a piece that did not go out whole.
  var byteCount: Int { written.withLock { $0 } }

  func write(_ bytes: RawSpan, range: Range<Int>) throws(SystemCallError) {
    do throws(SystemCallError) {
      try descriptor.writeStream(bytes, range: range)
    } catch {
      written.withLock { $0 += error.transferredByteCount }
      throw error
    }
    written.withLock { $0 += range.count }
  }

  func finish() throws(SystemCallError) {}
}

/// Bytes of an array on their way to a regular file, in which zeros become holes.
final class FileSink: ByteSink {
  private let descriptor: OwnedDescriptor
  private let position = Monitor(0)
  private static let hole = 4096

  init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

  func write(_ bytes: RawSpan, range: Range<Int>) throws(SystemCallError) {
    let start = position.withLock { $0 }
    // Runs of whole blocks that are not zeros are written in one piece.
    var pending = range.lowerBound
    var at = range.lowerBound
    while at < range.upperBound {
      let end = min(range.upperBound, at + Self.hole)
      if isZero(bytes, range: at..<end) {
        if pending < at {
          try descriptor.write(bytes, range: pending..<at, at: start + pending - range.lowerBound)
        }
        pending = end
      }
      at = end
    }
    if pending < range.upperBound {
      try descriptor.write(
        bytes, range: pending..<range.upperBound, at: start + pending - range.lowerBound)
    }
    position.withLock { $0 += range.count }
  }

  /// Gives the file its size, which is what was taken without an error, and puts it on stable storage.
  func finish() throws(SystemCallError) {
    try descriptor.truncate(to: position.withLock { $0 })
    try descriptor.synchronize()
  }
}
