import CLinux
import Glibc
import SystemPackage

// Transfers that finish what the kernel leaves short. A file ends where read returns 0; a write that
// moves nothing would loop for ever, so it is an error.
extension OwnedDescriptor {
  /// Fills a range of the buffer with the bytes from `offset` on; returns how many there were, which is
  /// less than asked for only at the end of the file.
  package func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(SystemCallError) -> Int {
    check(range, within: buffer.byteCount)
    // Safe: the range was checked, and the pointer is not kept.
    return try unsafe buffer.withUnsafeMutableBytes { memory throws(SystemCallError) in
      try transfer(range, call: "pread") { (start, count, done) in
        unsafe pread(descriptor, memory.baseAddress! + start, count, offset + done)
      }
    }
  }

  /// Writes a range of the buffer at `offset`: all of it, or an error that says how much.
  package func write(
    _ buffer: RawSpan, range: Range<Int>, at offset: Int
  ) throws(SystemCallError) {
    check(range, within: buffer.byteCount)
    let written = try unsafe buffer.withUnsafeBytes { memory throws(SystemCallError) in
      try transfer(range, call: "pwrite") { (start, count, done) in
        unsafe pwrite(descriptor, memory.baseAddress! + start, count, offset + done)
      }
    }
    try requireAll(written, of: range.count, call: "pwrite")
  }

  /// Fills these ranges of the buffer, one after the other, with consecutive bytes from `offset` on;
  /// returns how many there were.
  package func read(
    into buffer: inout MutableRawSpan, pieces: [Range<Int>], at offset: Int
  ) throws(SystemCallError) -> Int {
    for piece in pieces { check(piece, within: buffer.byteCount) }
    // Safe: every piece was checked, and the pointers are not kept.
    return try unsafe buffer.withUnsafeMutableBytes { memory throws(SystemCallError) in
      guard let base = memory.baseAddress else { return 0 }
      return try unsafe transfer(pieces, of: base, call: "preadv") { (vectors, count, done) in
        unsafe preadv(descriptor, vectors, count, offset + done)
      }
    }
  }

  /// Writes these ranges of the buffer, one after the other, to consecutive bytes from `offset` on.
  package func write(
    _ buffer: RawSpan, pieces: [Range<Int>], at offset: Int
  ) throws(SystemCallError) {
    for piece in pieces { check(piece, within: buffer.byteCount) }
    let written = try unsafe buffer.withUnsafeBytes { memory throws(SystemCallError) in
      guard let base = memory.baseAddress else { return 0 }
      // iovec has no constant form; pwritev only reads through it.
      let mutable = unsafe UnsafeMutableRawPointer(mutating: base)
      return try unsafe transfer(pieces, of: mutable, call: "pwritev") { (vectors, count, done) in
        unsafe pwritev(descriptor, vectors, count, offset + done)
      }
    }
    try requireAll(written, of: pieces.reduce(0) { $0 + $1.count }, call: "pwritev")
  }

  /// Reads from a pipe, a terminal or the file's own position until the range is full or the input ends;
  /// returns how many bytes came, 0 at the end.
  ///
  /// While it waits for input it also waits for `StopRequest`: one that comes throws `interrupted`.
  package func readStream(
    into buffer: inout MutableRawSpan, range: Range<Int>
  ) throws(SystemCallError) -> Int {
    check(range, within: buffer.byteCount)
    let waits = StopRequest.descriptor >= 0 ? try kind != .regular : false
    return try unsafe buffer.withUnsafeMutableBytes { memory throws(SystemCallError) in
      var done = 0
      while done < range.count {
        if waits { try wait(for: Int16(POLLIN), "read", transferred: done) }
        let start = range.lowerBound + done
        let count = unsafe Glibc.read(
          descriptor, memory.baseAddress! + start, range.count - done)
        if count == 0 { break }
        if count > 0 { done += count } else { try throwUnlessRetryable("read", done) }
      }
      return done
    }
  }

  /// Writes the range to a pipe, a terminal or at the file's own position.
  ///
  /// While nobody takes what is in the pipe it also waits for `StopRequest`: one that comes throws
  /// `interrupted`. When nobody reads any more it throws `brokenPipe`; the signal that would end the program
  /// instead is ignored once `StopRequest` is installed.
  package func writeStream(_ buffer: RawSpan, range: Range<Int>) throws(SystemCallError) {
    check(range, within: buffer.byteCount)
    let waits = StopRequest.descriptor >= 0 ? try kind != .regular : false
    let written = try unsafe buffer.withUnsafeBytes { memory throws(SystemCallError) in
      if waits { return try unsafe writePatiently(memory, range) }
      return try transfer(range, call: "write") { (start, count, _) in
        unsafe Glibc.write(descriptor, memory.baseAddress! + start, count)
      }
    }
    try requireAll(written, of: range.count, call: "write")
  }

  /// Writes what fits without waiting, waits for more room or a stop request, and so on.
  private func writePatiently(
    _ memory: UnsafeRawBufferPointer, _ range: Range<Int>
  ) throws(SystemCallError) -> Int {
    var done = 0
    var canAskForNoWait = true
    while done < range.count {
      // Safe: the range is within the memory, and the pointers are for one call.
      let start = unsafe memory.baseAddress! + range.lowerBound + done
      let left = range.count - done
      let count: Int
      if canAskForNoWait {
        count = unsafe clinux_write_without_waiting(descriptor, start, UInt(left))
      } else {
        // So much always goes at once when there is room at all.
        try wait(for: Int16(POLLOUT), "write", transferred: done)
        count = unsafe Glibc.write(descriptor, start, min(left, Self.atomicCount))
      }
      if count > 0 {
        done += count
      } else if count == 0 {
        break
      } else if Glibc.errno == EAGAIN {
        try wait(for: Int16(POLLOUT), "write", transferred: done)
      } else if canAskForNoWait, Glibc.errno == EOPNOTSUPP || Glibc.errno == ENOSYS {
        canAskForNoWait = false
      } else {
        try throwUnlessRetryable("write", done)
      }
    }
    return done
  }

  /// PIPE_BUF of Linux.
  private static let atomicCount = 4096

  /// Returns when there is input or room (or an end), throws `interrupted` when there is a stop request instead.
  private func wait(
    for events: Int16, _ call: StaticString, transferred: Int
  ) throws(SystemCallError) {
    while true {
      var both = (
        pollfd(fd: descriptor, events: events, revents: 0),
        pollfd(fd: StopRequest.descriptor, events: Int16(POLLIN), revents: 0)
      )
      let ready = unsafe withUnsafeMutableBytes(of: &both) { raw in
        // Two adjacent records are the array that poll takes.
        unsafe poll(raw.baseAddress!.assumingMemoryBound(to: pollfd.self), 2, -1)
      }
      // What is to go out goes as long as there is room.
      if events == Int16(POLLOUT) && both.0.revents != 0 { return }
      if both.1.revents != 0 {
        throw SystemCallError(
          call: call.description, subject: name, errno: .interrupted,
          transferredByteCount: transferred)
      }
      if ready > 0 { return }
      if ready < 0 { try throwUnlessRetryable("poll", transferred) }
    }
  }

  /// Calls `step` with start, count and what is done so far until the range is done or a step moves none.
  private func transfer(
    _ range: Range<Int>, call: StaticString, step: (Int, Int, Int) -> Int
  ) throws(SystemCallError) -> Int {
    var done = 0
    while done < range.count {
      let count = step(range.lowerBound + done, range.count - done, done)
      if count == 0 { break }
      if count < 0 {
        try throwUnlessRetryable(call, done)
        continue
      }
      done += count
      // Direct transfers come in whole sectors but for the end of the file, where going on is refused.
      if isDirect && done % 512 != 0 { break }
    }
    return done
  }

  /// As above for pieces: `step` gets vectors, their number and what is done so far.
  private func transfer(
    _ pieces: [Range<Int>], of base: UnsafeMutableRawPointer, call: StaticString,
    step: (UnsafePointer<iovec>, CInt, Int) -> Int
  ) throws(SystemCallError) -> Int {
    var done = 0
    var next = 0  // the first piece that is not done,
    var begun = 0  // and what of it is
    while true {
      let moved = unsafe withUnsafeTemporaryAllocation(
        of: iovec.self, capacity: min(max(1, pieces.count - next), Self.vectorCountLimit)
      ) { vectors in
        var count = 0
        var index = next
        var skipped = begun
        while index < pieces.count && count < vectors.count {
          let left = pieces[index].count - skipped
          if left > 0 {  // an empty vector alone would look like the end of the file
            let start = unsafe base + pieces[index].lowerBound + skipped
            unsafe vectors.initializeElement(
              at: count, to: iovec(iov_base: start, iov_len: left))
            count += 1
          }
          index += 1
          skipped = 0
        }
        return count == 0 ? 0 : unsafe step(vectors.baseAddress!, CInt(count), done)
      }
      if moved == 0 { return done }
      if moved < 0 {
        try throwUnlessRetryable(call, done)
        continue
      }
      done += moved
      begun += moved
      while next < pieces.count && begun >= pieces[next].count {
        begun -= pieces[next].count
        next += 1
      }
      if isDirect && done % 512 != 0 { return done }
    }
  }

  /// What one call takes: IOV_MAX of Linux.
  private static let vectorCountLimit = 1024

  /// Throws what errno says, except an interruption; to be called before anything else can change it.
  private func throwUnlessRetryable(
    _ call: StaticString, _ transferred: Int
  ) throws(SystemCallError) {
    let errno = Errno(rawValue: Glibc.errno)
    if errno == .interrupted { return }
    throw SystemCallError(
      call: call.description, subject: name, errno: errno, transferredByteCount: transferred)
  }

  private func requireAll(
    _ written: Int, of count: Int, call: StaticString
  ) throws(SystemCallError) {
    if written == count { return }
    throw SystemCallError(
      call: call.description, subject: name, errno: .ioError, transferredByteCount: written)
  }

  private func check(_ range: Range<Int>, within byteCount: Int) {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= byteCount, "a transfer outside its buffer")
  }
}
