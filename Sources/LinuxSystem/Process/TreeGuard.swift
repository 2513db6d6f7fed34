import CLinux
import SystemPackage

/// Sees to it that processes that are let go one after the other all run or all end, whatever happens to this
/// process meanwhile: a process beside it that kills them if this one ends before it says that all is done.
package final class TreeGuard {
  private let id: ProcessID
  private var writing: OwnedDescriptor?

  package init(of processes: [ProcessID]) throws(SystemCallError) {
    let ends = try OwnedDescriptor.makePipe()
    let reading = OwnedDescriptor(owning: ends.reading, name: "a guard's pipe")
    writing = OwnedDescriptor(owning: ends.writing, name: "a guard's pipe")
    let numbers = processes.map(\.number)
    // Safe: the copy of this process that reads the numbers has a copy of them.
    let made = unsafe numbers.withUnsafeBufferPointer {
      unsafe clinux_spawn_guard(ends.reading, ends.writing, $0.baseAddress, UInt64($0.count))
    }
    _ = consume reading
    if made < 0 {
      throw SystemCallError(call: "clone3", subject: "a guard", errno: Errno(rawValue: -made))
    }
    id = ProcessID(made)
  }

  /// All of them run: nothing is to be done any more.
  package func dismiss() throws(SystemCallError) {
    let word: [UInt8] = [1]
    // Safe: initialized bytes without padding.
    try unsafe writing?.writeStream(word.span.bytes, range: 0..<1)
    finish()
  }

  private func finish() {
    if writing == nil { return }
    writing = nil
    try? id.waitForEnd()
  }

  deinit { finish() }
}
