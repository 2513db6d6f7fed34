import LinuxSystem
import SystemPackage

/// Takes down what a thread may call, and keeps that from standing in the way of the calls that it is made
/// to make.
enum SeccompCapture {
  /// A stopped thread's filters, oldest first. They sleep as long as the thread is traced.
  static func filters(
    of thread: TracedThread, _ status: ProcessStatus
  ) throws(CheckpointError) -> [SeccompFilterState] {
    let mode = status.seccompMode
    if mode == 0 { return [] }
    do throws(SystemCallError) {
      try thread.setOptions(thread.options.union(.suspendSeccomp))
    } catch {
      throw obstacle(thread, "they can't be set aside to look at it: \(error.errno)")
    }
    guard mode == 2 else { return [] }
    var filters: [SeccompFilterState] = []
    do throws(SystemCallError) {
      while let program = try thread.seccompFilter(filters.count) {
        var filter = SeccompFilterState()
        filter.program = program
        filter.flags = try thread.seccompFlags(filters.count)
        filters.append(filter)
      }
    } catch {
      throw obstacle(thread, "they can't be read: \(error.errno)")
    }
    guard !filters.contains(where: { SeccompVerdict.notifies($0.program) }) else {
      throw .obstacles([
        Obstacle(
          thread.process, "the seccomp filters of thread \(thread.id)",
          "they ask another process what may be called (SECCOMP_RET_USER_NOTIF)")
      ])
    }
    return filters
  }

  private static func obstacle(_ thread: TracedThread, _ reason: String) -> CheckpointError {
    .obstacles([
      Obstacle(
        thread.process, "the seccomp filters of thread \(thread.id)", reason,
        remedy: "run as root (CAP_SYS_ADMIN), and not under a seccomp filter of its own")
    ])
  }

  /// Whether it may go on with restart_syscall(2); some filters end a thread for that.
  static func mayRestart(_ state: ThreadState, _ registers: Registers) -> Bool {
    state.seccompMode != 1
      && state.seccompFilters.allSatisfy {
        SeccompVerdict(
          of: $0.program, .restartSyscall, at: registers.instructionPointer, registers.callArguments
        ).lets
      }
  }
}

extension ProcessStatus {
  /// 0 none, 1 strict, 2 filters.
  var seccompMode: UInt64 { numbers("Seccomp").first ?? 0 }
  /// How many threads its process has that have not ended.
  var threadCount: UInt64 { numbers("Threads").first ?? 0 }
  /// How often it went to sleep.
  var sleepCount: UInt64 { numbers("voluntary_ctxt_switches").first ?? 0 }
  /// Whether some bits of addresses are its own (linear address masking).
  var tagsAddresses: Bool {
    let text = line("untag_mask")
    return text.hasPrefix("0x") && UInt64(text.dropFirst(2), radix: 16) != .max
  }
}
