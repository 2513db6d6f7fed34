/// Bytes per second of late: an average in which what is ten seconds old hardly counts any more.
struct RateEstimate: Sendable {
  /// Samples closer together than this are one sample: their difference is mostly chance.
  private static let sampleSeconds = 0.2
  /// After this time a sample counts for 1/e.
  private static let memorySeconds = 4.0

  private var time: Duration
  private var done: Int
  private var rate: Double?

  /// Begins to measure, with so many bytes done before.
  init(at time: Duration, done: Int) {
    self.time = time
    self.done = done
  }

  /// The rate, once enough time has passed to know one.
  var bytesPerSecond: Int? { rate.map { Int(max(0, $0.rounded())) } }

  /// Adds what was done by now. A job that goes back (it found more to do) starts a new sample.
  mutating func add(at time: Duration, done: Int) {
    let seconds = (time - self.time) / .seconds(1)
    guard seconds >= Self.sampleSeconds else { return }
    defer { (self.time, self.done) = (time, done) }
    guard done >= self.done else { return }
    let sample = Double(done - self.done) / seconds
    // A linear stand-in for 1 - exp(-t/memory): close for short samples, never above 1.
    let weight = seconds / (seconds + Self.memorySeconds)
    rate = rate.map { $0 + (sample - $0) * weight } ?? sample
  }
}
