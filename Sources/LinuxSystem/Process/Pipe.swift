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

  /// A FIFO that is there. What may be in it is taken out.
  package init(fifo path: String, capacity: Int) throws(SystemCallError) {
    writing = try OwnedDescriptor.open(path, flags: UInt32(O_RDWR | O_NONBLOCK))
    guard try writing.details().kind == .pipe else {
      throw SystemCallError(call: "open", subject: path, errno: .invalidArgument)
    }
    reading = try writing.reopen(flags: UInt32(O_RDONLY | O_NONBLOCK))
    try writing.control(F_SETPIPE_SZ, capacity)
    while try !reading.readPiece(limit: 1 << 16).isEmpty {}
  }

  /// Writes what somebody shall find in it; it must fit.
  package func fill(_ pieces: [PipePiece]) throws(SystemCallError) {
    let before = try writing.control(F_GETFL, 0)
    for (index, piece) in pieces.enumerated() {
      // What the kernel's copy ends with takes nothing more up, as the page must not into which a packet would go.
      if !piece.isPacket, index + 1 < pieces.count {
        let copied = try Pipe(capacity: writing.control(F_GETPIPE_SZ, 0))
        try copied.write(piece)
        let count = try copyContent(of: copied, limit: piece.bytes.count)
        guard count == piece.bytes.count else {
          throw SystemCallError(
            call: "tee", subject: "a pipe", errno: .resourceTemporarilyUnavailable)
        }
      } else {
        try write(piece)
      }
    }
    try writing.control(F_SETFL, before)
  }

  private func write(_ piece: PipePiece) throws(SystemCallError) {
    try writing.control(F_SETFL, Int(O_NONBLOCK) | (piece.isPacket ? O_DIRECT : 0))
    // Safe: bytes have no padding.
    try writing.writeStream(unsafe piece.bytes.span.bytes, range: 0..<piece.bytes.count)
  }

  /// Whose it is, and who may open it by way of /proc.
  package func set(
    user: UInt32, group: UInt32, _ permissions: UInt32
  ) throws(SystemCallError) {
    let present = try writing.details()
    if present.user != user || present.group != group {
      try writing.set(user: user, group: group)
    }
    if present.mode & 0o7777 != permissions { try writing.setPermissions(permissions) }
  }

  /// How many bytes are in it.
  func unreadByteCount() throws(SystemCallError) -> Int { try reading.unreadByteCount() }

  /// Takes out what one read(2) gives.
  func readPiece(limit: Int) throws(SystemCallError) -> [UInt8] {
    try reading.readPiece(limit: limit)
  }

  /// The description of one of its ends that was there from the start, with these flags.
  package func firstEnd(flags: UInt32) throws(SystemCallError) -> OwnedDescriptor {
    let isWritten = Int32(bitPattern: flags) & O_ACCMODE == O_WRONLY
    let end = isWritten ? try writing.duplicate(from: 0) : try reading.duplicate(from: 0)
    try end.control(F_SETFL, Int(flags))
    return end
  }

  /// A new open file description of one of its ends, or of both, as the access mode in the flags says.
  package func reopen(flags: UInt32) throws(SystemCallError) -> OwnedDescriptor {
    try OwnedDescriptor.open("/proc/self/fd/\(reading.descriptor)", flags: flags)
  }

  /// Copies what is in another pipe without taking it out; returns how many bytes.
  @discardableResult
  func copyContent(of other: Pipe, limit: Int) throws(SystemCallError) -> Int {
    try copyContent(of: other.reading, limit: limit)
  }

  /// Copies what is in another pipe without taking it out; returns how many bytes.
  @discardableResult
  func copyContent(of other: borrowing OwnedDescriptor, limit: Int) throws(SystemCallError) -> Int {
    do throws(SystemCallError) {
      return try copyContentOrFail(of: other, limit: limit)
    } catch  where error.errno == .resourceTemporarilyUnavailable {
      return 0
    }
  }

  /// 0 only if nobody can write any more.
  func copyContentOrFail(
    of other: borrowing OwnedDescriptor, limit: Int
  ) throws(SystemCallError) -> Int {
    try kernelCall(
      .tee, "tee", on: other.name, Int(other.descriptor), Int(writing.descriptor), limit,
      Int(SPLICE_F_NONBLOCK))
  }
}

extension OwnedDescriptor {
  /// Whether nobody can write to it any more, and nothing is left in it.
  package borrowing func isPipeWithoutWriters() throws(SystemCallError) -> Bool {
    let copy = try Pipe()
    do throws(SystemCallError) {
      return try copy.copyContentOrFail(of: self, limit: 1) == 0
    } catch  where error.errno == .resourceTemporarilyUnavailable {
      return false
    }
  }

  /// What one read(2) gives.
  borrowing func readPiece(limit: Int) throws(SystemCallError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: limit)
    let (descriptor, name) = (descriptor, name)
    do throws(SystemCallError) {
      let count = try withAddress(of: &bytes) { (address) throws(SystemCallError) in
        try kernelCall(.read, "read", on: name, Int(descriptor), address, limit)
      }
      return Array(bytes.prefix(count))
    } catch  where error.errno == .resourceTemporarilyUnavailable {
      return []
    }
  }
}

private let O_DIRECT = 0o40000

private let F_SETPIPE_SZ: Int32 = 1031
private let F_GETPIPE_SZ: Int32 = 1032
private let SPLICE_F_NONBLOCK: Int32 = 2
