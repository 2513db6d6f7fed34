import LinuxSystem

/// A number that a process shall have may still belong to the one that was saved, until somebody has waited
/// for its end: a zombie goes away soon, anything else stays.
struct NumberPatience {
  private static let attemptLimit = 500
  private let id: ProcessID
  private var attemptCount = 0

  init(_ id: ProcessID) { self.id = id }

  /// Waits a moment for another attempt, or throws `numberTaken`.
  mutating func pause() throws(CheckpointError) {
    attemptCount += 1
    let state = (try? ProcessStatus(of: id))?.state ?? "Z"
    if attemptCount == Self.attemptLimit || state != "Z" { throw .numberTaken(id) }
    Machine.sleep(seconds: 0.01)
  }
}
