import BinaryCodec
import LinuxSystem
import SystemPackage

// What is set only as far as the rights of this process go: the tree can live without the rest, and it is
// said what that is.
extension ProcessBuilder {
  /// By the numbers of getrlimit(2).
  private static let limitNames = [
    "CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS",
    "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
  ]

  func setLimits() throws(CheckpointError) {
    guard state.limits.count == 32 else { throw .malformed(.outOfRange(21)) }
    let id = id
    let present = try about(id) { () throws(SystemCallError) in try id.limits() }
    for resource in 0..<16 {
      let (soft, hard) = (state.limits[2 * resource], state.limits[2 * resource + 1])
      let presentHard = present[2 * resource + 1]
      if present[2 * resource] == soft && presentHard == hard { continue }
      if try set(limit: resource, soft: soft, hard: hard) { continue }
      // Who may not raise it keeps what there is.
      let isSet = try set(
        limit: resource, soft: min(soft, presentHard), hard: min(hard, presentHard))
      restoration.warn(
        state.id, "RLIMIT_\(Self.limitNames[resource])",
        isSet
          ? "it was \(Self.text(hard)), and is \(Self.text(min(hard, presentHard))): more wants CAP_SYS_RESOURCE"
          : "it could not be set")
    }
  }

  private func set(limit resource: Int, soft: UInt64, hard: UInt64) throws(CheckpointError) -> Bool
  {
    let place = try put(words: [soft, hard])
    return try inside(id) { () throws(InjectionError) in
      try injector.callForResult(.prlimit64, [0, UInt64(resource), place, 0])
    } == 0
  }

  private static func text(_ limit: UInt64) -> String { limit == .max ? "unlimited" : "\(limit)" }

  /// Who goes first when memory gets short.
  func setMemoryPriority() {
    let path = "\(id.folder)/oom_score_adj"
    let wanted = state.oomScoreAdjustment
    do throws(SystemCallError) {
      let present = String(decoding: try Files.contents(of: path), as: UTF8.self)
      if Int64(present.prefix { $0 != "\n" }) == wanted { return }
      let text = Array("\(wanted)".utf8)
      // Safe: bytes have no padding.
      try OwnedDescriptor.open(path, access: .writeOnly)
        .writeStream(unsafe text.span.bytes, range: 0..<text.count)
    } catch {
      restoration.warn(
        state.id, "oom_score_adj", "it was \(wanted), and could not be set: \(error.errno)")
    }
  }

  /// Policy, priority and nice value of a thread.
  func set(
    scheduling: [UInt8], nice: Int32?, of thread: TracedThread
  ) throws(CheckpointError) {
    do throws(SystemCallError) {
      if try thread.id.scheduling() != scheduling { try thread.id.set(scheduling: scheduling) }
      // SCHED_OTHER (0) and SCHED_BATCH (3) have it among their attributes. Others have ours until they get theirs.
      let policy = scheduling.count > 4 ? scheduling[4] : 0
      if ![0, 3].contains(policy) { try thread.id.set(nice: nice ?? 0) }
    } catch {
      // The one of sched_setattr(2), the other of setpriority(2).
      guard error.errno == .notPermitted || error.errno == .permissionDenied else {
        throw .system(error, process: id)
      }
      restoration.warn(
        state.id, "scheduling of a thread", "its higher priority wants CAP_SYS_NICE")
    }
  }
}
