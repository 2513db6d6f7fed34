import SystemPackage

/// Puts pages into memory of another process that has none there yet, at less cost than writing: without a
/// fault, and without zeros first (userfaultfd(2)). Until a range is released, nothing else can bring pages there.
package final class PageFiller: Sendable {
  private let file: OwnedDescriptor

  /// What the process is made to ask for: userfaultfd with O_CLOEXEC, O_NONBLOCK and UFFD_USER_MODE_ONLY,
  /// which needs no privilege.
  package static let flags: UInt64 = 0o2000000 | 0o4000 | 1

  /// Takes the descriptor that the process got.
  package init(_ descriptor: consuming OwnedDescriptor) throws(SystemCallError) {
    file = descriptor
    // struct uffdio_api: UFFD_API, UFFD_FEATURE_SIGBUS (who touches what is missing gets an error and does
    // not wait), ioctls
    var request: [UInt64] = [0xaa, 1 << 7, 0]
    try ask(0x3f, "ioctl(UFFDIO_API)", &request)
  }

  /// From now on pages in this range, all of it private memory without a file, come from here.
  package func register(_ range: Range<UInt64>) throws(SystemCallError) {
    // UFFDIO_REGISTER_MODE_MISSING
    var request: [UInt64] = [range.lowerBound, range.upperBound - range.lowerBound, 1, 0]
    try ask(0x00, "ioctl(UFFDIO_REGISTER)", &request)
  }

  /// Pages that this range, of those that are registered, has not got come as zeros again. To close the descriptor
  /// does so only when no process has a copy of it, as one has that was made meanwhile.
  package func release(_ range: Range<UInt64>) throws(SystemCallError) {
    // struct uffdio_range, _IOR(0xAA, 1)
    var request: [UInt64] = [range.lowerBound, range.upperBound - range.lowerBound]
    try ask(0x01, "ioctl(UFFDIO_UNREGISTER)", &request, directions: 2)
  }

  /// Puts whole pages at an address within what is registered. Returns how many bytes: fewer when it comes
  /// to a page that is there.
  package func fill(
    _ buffer: RawSpan, range: Range<Int>, at address: UInt64
  ) throws(SystemCallError) -> Int {
    precondition(range.lowerBound >= 0 && range.upperBound <= buffer.byteCount)
    return try unsafe buffer.withUnsafeBytes { bytes throws(SystemCallError) in
      let source = UInt64(UInt(bitPattern: bytes.baseAddress))
      var done = 0
      while done < range.count {
        // struct uffdio_copy: dst, src, len, mode, copy
        var request: [UInt64] = [
          address + UInt64(done), source + UInt64(range.lowerBound + done),
          UInt64(range.count - done), 0, 0,
        ]
        do throws(SystemCallError) {
          try ask(0x03, "ioctl(UFFDIO_COPY)", &request)
          return range.count
        } catch {
          // EAGAIN: it has done some of it.
          if error.errno == .fileExists { return done }
          guard error.errno == .resourceTemporarilyUnavailable else { throw error }
          done += max(0, Int(Int64(bitPattern: request[4])))
        }
      }
      return done
    }
  }

  /// _IOWR(0xAA, number, so many words), or another direction.
  private func ask(
    _ number: Int, _ name: StaticString, _ request: inout [UInt64], directions: Int = 3
  ) throws(SystemCallError) {
    let descriptor = Int(file.descriptor)
    let code = directions << 30 | request.count * 8 << 16 | 0xaa << 8 | number
    try withAddress(of: &request) { (address) throws(SystemCallError) in
      try kernelCall(.ioctl, name, on: "a process's memory", descriptor, code, address)
    }
  }
}
