import Glibc

/// One kernel on one working set: how to run it once, and what was measured.
struct Measurement {
  let name: String
  /// Bytes of data protected, recovered, summed or copied by one run.
  let byteCount: Int
  /// What it has to reach, in times memcpy.
  var target: Double?
  let run: () -> Void
  private(set) var seconds: [Double] = []

  init(_ name: String, byteCount: Int, target: Double? = nil, run: @escaping () -> Void) {
    self.name = name
    self.byteCount = byteCount
    self.target = target
    self.run = run
  }

  /// Runs it `count` times in a row and takes the CPU time.
  mutating func takeRound(count: Int) {
    let start = Self.cpuSeconds()
    for _ in 0..<count { run() }
    seconds.append((Self.cpuSeconds() - start) / Double(count))
  }

  /// The median round, in 10^9 bytes per second of CPU.
  var gigabytesPerSecond: Double {
    let sorted = seconds.sorted()
    return Double(byteCount) / sorted[sorted.count / 2] / 1e9
  }

  private static func cpuSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
