import BinaryCodec
import LinuxSystem
import Raid
import Synchronization

/// Where `read --salvage` puts what it finds, and the map that says what is there.
///
/// The map never says more than the file has: the file is on stable storage before the map is.
final class RescueOutput: SalvageSink {
  /// What the bytes go to.
  enum Target: Sendable {
    /// Each byte at its place; what is lost is left as it is.
    case file(RescueFile)
    /// One after the other, zeros for what is lost.
    case stream(StreamSink)
  }

  private struct State {
    var pass: RescuePass
    /// Everything before has been tried in this pass: array bytes.
    var reached = 0
    var savedAt = Machine.monotonicSeconds()
    /// What the last time of saving took, in seconds.
    var saveDuration = 0.0
  }

  private let target: Target
  private let mapFile: RescueMapFile?
  private let state: Mutex<State>
  private let zeros = AlignedBuffer(byteCount: 256 << 10)

  /// - Parameter map: what is known before.
  init(_ target: Target, _ mapFile: RescueMapFile?, _ map: RescueMap) {
    self.target = target
    self.mapFile = mapFile
    state = Mutex(State(pass: RescuePass(over: map)))
  }

  /// As it is by now.
  var map: RescueMap { state.withLock { $0.pass.map } }

  func beginPass() {
    state.withLock { $0.pass = RescuePass(over: $0.pass.map) }
  }

  func take(
    _ bytes: RawSpan, at place: Int, _ arrayRange: Range<Int>, isDoubtful: Bool
  ) throws(SystemCallError) {
    let range = place..<place + arrayRange.count
    switch target {
    case .stream(let stream): try stream.write(bytes, range: range)
    case .file(let file): try file.write(bytes, range, at: arrayRange.lowerBound)
    }
    note(arrayRange, isDoubtful ? .unscraped : .rescued)
    try saveIfDue()
  }

  func lack(_ arrayRange: Range<Int>, _ reason: LossReason) throws(SystemCallError) {
    if case .stream(let stream) = target {
      try Self.write(zeros, count: arrayRange.count, to: stream)
    }
    note(arrayRange, .lost)
    try saveIfDue()
  }

  // A function of its own, because a span of a class's member cannot be lent any further.
  private static func write(
    _ zeros: borrowing AlignedBuffer, count: Int, to stream: StreamSink
  ) throws(SystemCallError) {
    var left = count
    while left > 0 {
      let part = min(zeros.byteCount, left)
      try stream.write(zeros.bytes, range: 0..<part)
      left -= part
    }
  }

  private func note(_ arrayRange: Range<Int>, _ status: RescueMap.Status) {
    state.withLock { state in
      state.pass.note(arrayRange, status)
      state.reached = arrayRange.upperBound
    }
  }

  /// Every now and then, and never so often that it would be felt.
  private func saveIfDue() throws(SystemCallError) {
    guard mapFile != nil else { return }
    let isDue = state.withLock { state in
      Machine.monotonicSeconds() - state.savedAt > max(5, 20 * state.saveDuration)
    }
    if isDue { try save(isFinished: false) }
  }

  /// Puts what was written on stable storage, and then says so in the map.
  func save(isFinished: Bool) throws(SystemCallError) {
    if case .file(let file) = target { try file.descriptor.synchronize() }
    guard let mapFile else { return }
    let start = Machine.monotonicSeconds()
    let (map, reached) = state.withLock { ($0.pass.map, $0.reached) }
    try mapFile.save(map, position: isFinished ? nil : reached)
    state.withLock { state in
      state.savedAt = Machine.monotonicSeconds()
      state.saveDuration = state.savedAt - start
    }
  }
}
