import CLinux
import Glibc
import SystemPackage

/// The memory of another process, by its addresses.
///
/// Two ways in: process_vm_readv and writev, quick in large pieces, which obey the pages' protection; and
/// /proc/PID/mem, which goes through it and leaves pages shared with a fork shared.
package struct ProcessMemory: ~Copyable, Sendable {
  package let process: ProcessID
  private let file: OwnedDescriptor

  package init(of process: ProcessID) throws(SystemCallError) {
    self.process = process
    file = try OwnedDescriptor.open("\(process.folder)/mem", access: .readWrite)
  }

  /// Fills the buffer's range from `address` on, past any protection. Fewer bytes when memory ends before.
  package func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at address: UInt64
  ) throws(SystemCallError) -> Int {
    try file.read(into: &buffer, range: range, at: Int(bitPattern: UInt(address)))
  }

  /// Writes the buffer's range at `address`, past any protection of private memory.
  package func write(
    _ buffer: RawSpan, range: Range<Int>, at address: UInt64
  ) throws(SystemCallError) {
    try file.write(buffer, range: range, at: Int(bitPattern: UInt(address)))
  }

  /// So many bytes at `address`, all of them.
  package func bytes(at address: UInt64, count: Int) throws(SystemCallError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    // Safe: bytes have no forbidden patterns.
    var raw = unsafe span.mutableBytes
    let got = try read(into: &raw, range: 0..<count, at: address)
    if got < count {
      throw SystemCallError(
        call: "pread", subject: file.name, errno: .badAddress, transferredByteCount: got)
    }
    return bytes
  }

  package func write(_ bytes: [UInt8], at address: UInt64) throws(SystemCallError) {
    // Safe: bytes have no padding.
    try write(unsafe bytes.span.bytes, range: 0..<bytes.count, at: address)
  }

  /// Fills the buffer's range with these areas, one after the other, in one call; they must be readable to
  /// the process itself. Throws `badAddress` when not all of it could be had.
  package func readQuickly(
    into buffer: inout MutableRawSpan, range: Range<Int>, areas: [Range<UInt64>]
  ) throws(SystemCallError) {
    precondition(range.lowerBound >= 0 && range.upperBound <= buffer.byteCount)
    precondition(areas.reduce(0) { $0 + $1.count } == range.count)
    let process = process
    // Safe: the range was checked, and no pointer is kept.
    let count = try unsafe buffer.withUnsafeMutableBytes { memory throws(SystemCallError) in
      var local = unsafe iovec(
        iov_base: memory.baseAddress.map { unsafe $0 + range.lowerBound }, iov_len: range.count)
      return try unsafe Self.transfer(.processVMReadv, "process_vm_readv", process, &local, areas)
    }
    try Self.requireAll(count, of: range.count, "process_vm_readv", process)
  }

  /// Writes the buffer's range to these areas, one after the other; they must be writable to the process.
  package func writeQuickly(
    _ buffer: RawSpan, range: Range<Int>, areas: [Range<UInt64>]
  ) throws(SystemCallError) {
    precondition(range.lowerBound >= 0 && range.upperBound <= buffer.byteCount)
    precondition(areas.reduce(0) { $0 + $1.count } == range.count)
    let process = process
    let count = try unsafe buffer.withUnsafeBytes { memory throws(SystemCallError) in
      // iovec has no constant form; the kernel only reads through it here.
      let base = unsafe memory.baseAddress.map {
        unsafe UnsafeMutableRawPointer(mutating: $0 + range.lowerBound)
      }
      var local = unsafe iovec(iov_base: base, iov_len: range.count)
      return try unsafe Self.transfer(.processVMWritev, "process_vm_writev", process, &local, areas)
    }
    try Self.requireAll(count, of: range.count, "process_vm_writev", process)
  }

  private static func transfer(
    _ call: KernelCall, _ name: StaticString, _ process: ProcessID,
    _ local: UnsafeMutablePointer<iovec>, _ areas: [Range<UInt64>]
  ) throws(SystemCallError) -> Int {
    precondition(areas.count <= 1024, "the kernel takes no more areas in one call")
    let remote = unsafe areas.map {
      unsafe iovec(
        iov_base: UnsafeMutableRawPointer(bitPattern: UInt($0.lowerBound)), iov_len: $0.count)
    }
    return try unsafe remote.withUnsafeBufferPointer { remote throws(SystemCallError) in
      try kernelCall(
        call, name, on: "process \(process)", Int(process.number), Int(bitPattern: local), 1,
        Int(bitPattern: remote.baseAddress), remote.count, 0)
    }
  }

  private static func requireAll(
    _ count: Int, of wanted: Int, _ call: StaticString, _ process: ProcessID
  ) throws(SystemCallError) {
    if count < wanted {
      throw SystemCallError(
        call: call.description, subject: "process \(process)", errno: .badAddress,
        transferredByteCount: count)
    }
  }
}
