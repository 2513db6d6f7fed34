import LinuxSystem

/// A number that a process shall have may still belong to the one that was saved, until somebody has waited
/// for its end: a zombie goes away soon, anything else stays.
struct NumberPatience {
  private static let attemptLimit = 500
  private let id: ProcessID
  /// It is a number of our own pid namespace. In one that we have made, nobody ends.
  private let isOurs: Bool
  private var attemptCount = 0

  init(_ id: ProcessID, isOurs: Bool = true) { (self.id, self.isOurs) = (id, isOurs) }

  /// Waits a moment for another attempt, or throws `numberTaken`.
  mutating func pause() throws(CheckpointError) {
    attemptCount += 1
    guard isOurs else { throw .numberTaken(id) }
    let state = (try? ProcessStatus(of: id))?.state ?? "Z"
    if attemptCount == Self.attemptLimit || state != "Z" { throw .numberTaken(id) }
    Machine.sleep(seconds: 0.01)
  }
}
