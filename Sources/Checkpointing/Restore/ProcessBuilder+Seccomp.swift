import BinaryCodec
import LinuxSystem

// Filters are installed while they sleep, since we trace: what is still to be called need not be allowed.
// A thread is made when the first one has those filters that both have, and no more. So they have them together,
// as threads must that shall get another one together later (SECCOMP_FILTER_FLAG_TSYNC).
extension ProcessBuilder {
  private static let strict: UInt8 = 1
  /// SECCOMP_FILTER_FLAG_SPEC_ALLOW: what a thread chose about speculation is set on its own.
  private static let keepsSpeculation: UInt64 = 4

  /// Keeps what is about to be installed from standing in our way.
  func setFiltersAside() throws(CheckpointError) {
    guard state.threads.contains(where: { $0.seccompMode != 0 }) else { return }
    do throws(SystemCallError) {
      try leader.setOptions(leader.options.union(.suspendSeccomp))
    } catch {
      throw .obstacles([
        Obstacle(
          id, "its seccomp filters", "they can't be put back: \(error.errno)",
          remedy: "run as root (CAP_SYS_ADMIN), and not under a seccomp filter of its own")
      ])
    }
  }

  /// How many of the first thread's filters a thread has before its own.
  private func commonFilterCount(of thread: ThreadState) -> Int {
    zip(thread.seccompFilters, state.threads[0].seccompFilters).prefix { $0 == $1 }.count
  }

  /// Makes the other threads, and gives the first one its filters.
  func makeThreads() throws(CheckpointError) {
    let filters = state.threads[0].seccompFilters
    var made: [Int32: TracedThread] = [:]
    for count in 0...filters.count {
      for thread in state.threads.dropFirst() where commonFilterCount(of: thread) == count {
        made[thread.id] = try makeThread(thread)
      }
      if count < filters.count { try install(filters[count]) }
    }
    for thread in state.threads.dropFirst() {
      guard let traced = made[thread.id] else { throw .inconsistent(.noThread) }
      threads.append(traced)
    }
  }

  func installOwnFilters(of thread: ThreadState) throws(CheckpointError) {
    for filter in thread.seccompFilters.dropFirst(commonFilterCount(of: thread)) {
      try install(filter)
    }
    // SECCOMP_SET_MODE_STRICT
    if thread.seccompMode == Self.strict { try call(.seccomp, "seccomp", 0, 0, 0) }
  }

  private func install(_ filter: SeccompFilterState) throws(CheckpointError) {
    let program = try put(filter.program, at: 1024)
    // struct sock_fprog: how many, and where
    let place = try put(words: [UInt64(filter.program.count / 8), program])
    // SECCOMP_SET_MODE_FILTER
    try call(.seccomp, "seccomp", 1, filter.flags | Self.keepsSpeculation, place)
  }
}
