import Glibc

/// One kernel on one working set: how to run it, and how long it took.
struct Measurement {
  /// Works once, and returns how many bytes of data were protected, recovered, summed or copied.
  private let run: () -> Int
  private let byteCount: Int
  private let runCount: Int
  private var seconds: [Double] = []

  /// A round is `runCount` runs. The first run, which is not counted, is here.
  init(runCount: Int = 1, run: @escaping () -> Int) {
    self.run = run
    self.runCount = runCount
    byteCount = run()
  }

  mutating func takeRound() {
    let start = Self.cpuSeconds()
    for _ in 0..<runCount { _ = run() }
    seconds.append((Self.cpuSeconds() - start) / Double(runCount))
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
