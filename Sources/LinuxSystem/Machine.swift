import CLinux
import Glibc
import SystemPackage

/// The machine we run on, and its clocks.
package enum Machine {
  /// How many processors this process may use, at least 1.
  package static let cores: Int = {
    let count = Int(clinux_core_count())
    return count > 0 ? count : max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN)))
  }()

  /// The bytes of a page of memory.
  package static let pageSize: Int = sysconf(CInt(_SC_PAGESIZE))

  /// Whether all memory gets huge pages, not only what asks for them.
  package static let usesHugePages: Bool = {
    let path = "/sys/kernel/mm/transparent_hugepage/enabled"
    return String(decoding: (try? Files.contents(of: path)) ?? [], as: UTF8.self).contains(
      "[always]")
  }()

  /// The machine's name without its domain, as mdadm writes it into arrays.
  package static var hostName: String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
    let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    let name = String(decoding: bytes, as: UTF8.self)
    return String(name.prefix { $0 != "." })
  }

  /// The kernel's release, as uname(2) tells it; empty where /proc does not.
  package static let kernelRelease: String = {
    let bytes = (try? Files.contents(of: "/proc/sys/kernel/osrelease")) ?? []
    return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }()

  /// The clocks that began at the start of the machine, without and with the time that it slept: nanoseconds.
  package static func clocks() -> (monotonic: UInt64, boottime: UInt64) {
    func read(_ clock: clockid_t) -> UInt64 {
      var time = timespec()
      unsafe clock_gettime(clock, &time)  // these clocks always exist
      return UInt64(clamping: time.tv_sec) * 1_000_000_000 + UInt64(clamping: time.tv_nsec)
    }
    return (read(CLOCK_MONOTONIC), read(CLOCK_BOOTTIME))
  }

  /// Now, as `ProcessStatus.startTime` counts.
  package static var ticks: UInt64 {
    clocks().boottime / (1_000_000_000 / UInt64(max(1, sysconf(Int32(_SC_CLK_TCK)))))
  }

  /// Who runs the program; 0 is root.
  package static var userID: UInt32 { geteuid() }

  /// This process's number.
  package static var processID: Int32 { getpid() }

  /// Bytes nobody can guess, for identifiers.
  package static func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
  }

  /// The time since 1970-01-01 UTC. It can be set, so it is for people and for metadata.
  package static func now() -> (seconds: UInt64, microseconds: UInt32) {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)  // this clock always exists
    return (UInt64(clamping: time.tv_sec), UInt32(time.tv_nsec / 1000))
  }

  /// Seconds since some moment before the program started; never goes back.
  package static func monotonicSeconds() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// Waits; a signal does not end it.
  package static func sleep(seconds: Double) {
    let end = monotonicSeconds() + seconds
    while true {
      let left = end - monotonicSeconds()
      if left <= 0 { return }
      var time = timespec(
        tv_sec: Int(left), tv_nsec: Int((left - left.rounded(.down)) * 1e9))
      unsafe nanosleep(&time, nil)
    }
  }

  /// What the program was called with, itself first. Paths among them are as `String.pathBytes` has them.
  package static var arguments: [String] {
    (0..<Int(CommandLine.argc)).compactMap { index in
      // Safe: the kernel ends each with a zero, and nobody changes them.
      guard let argument = unsafe CommandLine.unsafeArgv[index] else { return nil }
      return unsafe String(
        pathBytes: UnsafeRawBufferPointer(start: argument, count: strlen(argument)))
    }
  }

  /// A variable of the environment; nil when it is not set.
  package static func environment(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)  // safe: the program never changes its environment
  }
}
