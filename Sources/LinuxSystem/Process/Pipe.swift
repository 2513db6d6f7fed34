import CLinux
import Glibc
import SystemPackage

/// A pipe of ours, both ends open.
package final class Pipe: Sendable {
  private let reading: OwnedDescriptor
  private let writing: OwnedDescriptor

  package init(capacity: Int? = nil) throws(SystemCallError) {
    let ends = try OwnedDescriptor.makePipe()
    reading = OwnedDescriptor(owning: ends.reading, name: "a pipe")
    writing = OwnedDescriptor(owning: ends.writing, name: "a pipe")
    if let capacity { try writing.control(F_SETPIPE_SZ, capacity) }
  }

  /// Writes what somebody shall find in it; it must fit.
  package func fill(_ bytes: [UInt8]) throws(SystemCallError) {
    try writing.control(F_SETFL, Int(O_NONBLOCK))
    // Safe: bytes have no padding.
    try writing.writeStream(unsafe bytes.span.bytes, range: 0..<bytes.count)
    try writing.control(F_SETFL, 0)
  }

  /// Takes so many bytes out of it.
  func drain(_ count: Int) throws(SystemCallError) -> [UInt8] {
    var buffer = AlignedBuffer(byteCount: max(count, 1))
    var span = buffer.mutableBytes
    var done = 0
    while done < count {
      let got = try reading.readStream(into: &span, range: done..<count)
      if got == 0 { break }
      done += got
    }
    return unsafe buffer.bytes.withUnsafeBytes { unsafe Array($0.prefix(done)) }
  }

  /// A new open file description of one of its ends, or of both, as the access mode in the flags says.
  package func reopen(flags: UInt32) throws(SystemCallError) -> OwnedDescriptor {
    try OwnedDescriptor.open("/proc/self/fd/\(reading.descriptor)", flags: flags)
  }

  /// Copies what is in another pipe without taking it out.
  func copyContent(of other: borrowing OwnedDescriptor, limit: Int) throws(SystemCallError) -> Int {
    do throws(SystemCallError) {
      return try kernelCall(
        .tee, "tee", on: other.name, Int(other.descriptor), Int(writing.descriptor), limit,
        Int(SPLICE_F_NONBLOCK))
    } catch  where error.errno == .resourceTemporarilyUnavailable {
      return 0
    }
  }
}

extension OwnedDescriptor {
  /// What has been written to this pipe and not been read, left in it.
  package borrowing func pipeContent(capacity: Int) throws(SystemCallError) -> [UInt8] {
    let copy = try Pipe(capacity: capacity)
    let count = try copy.copyContent(of: self, limit: capacity)
    return try copy.drain(count)
  }
}

private let F_SETPIPE_SZ: Int32 = 1031
private let SPLICE_F_NONBLOCK: Int32 = 2
