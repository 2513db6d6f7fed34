/// What a thread waits for in the kernel when no signal, nor a stop, wakes it.
package enum DeepSleep: Equatable, Sendable {
  /// Until the child that it made with vfork(2), or in such a way (CLONE_VFORK), calls exec or ends.
  case childOfVfork
  /// In this function of the kernel; empty where that is not told.
  case inKernel(String)

  /// nil for a thread that runs, or sleeps so that it can be woken.
  package init?(of thread: ProcessID, in process: ProcessID) {
    guard let status = try? ProcessStatus(of: thread), status.state == "D" else { return nil }
    let place = thread.text(of: "wchan") ?? ""
    self = Self.waitsForChild(thread, in: process) ? .childOfVfork : .inKernel(place)
  }

  private static func waitsForChild(_ thread: ProcessID, in process: ProcessID) -> Bool {
    // "435 0x7ffd… …": number and arguments of the call
    let words = thread.text(of: "syscall")?.split(separator: " ") ?? []
    guard words.count > 1, let number = Int(words[0]) else { return false }
    let first = UInt64(words[1].dropFirst(2), radix: 16) ?? 0
    switch KernelCall(rawValue: number) {
    case .vfork: return true
    case .clone: return first & untilExec != 0
    case .clone3:
      // struct clone_args begins with the flags.
      guard let memory = try? ProcessMemory(of: process),
        let flags = try? memory.bytes(at: first, count: 8)
      else { return false }
      return flags.reversed().reduce(0) { $0 << 8 | UInt64($1) } & untilExec != 0
    default: return false
    }
  }

  /// CLONE_VFORK
  private static let untilExec: UInt64 = 0x4000
}
