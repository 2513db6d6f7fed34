import LinuxSystem

/// A number that a process shall have may still belong to the one that was saved, or to its group or session,
/// until somebody has waited for the end of those that were in it: zombies go away soon, anything else stays.
struct NumberPatience {
  private let id: ProcessID
  /// It is a number of our own pid namespace. In one that we have made, nobody ends.
  private let isOurs: Bool
  private let start = ContinuousClock.now

  init(_ id: ProcessID, isOurs: Bool = true) { (self.id, self.isOurs) = (id, isOurs) }

  /// Waits a moment for another attempt, or throws `numberTaken`.
  mutating func pause() throws(CheckpointError) {
    guard isOurs else { throw .numberTaken(id) }
    let holders = holders()
    if holders.contains(where: { $0.state != "Z" && $0.state != "X" }) { throw .numberTaken(id) }
    // A parent may have forgotten them; the first process waits for all that it is left with, at its leisure.
    let isLeftToFirst = !holders.isEmpty && holders.allSatisfy { $0.parent.number == 1 }
    let patience: Duration = isLeftToFirst ? .seconds(30) : .seconds(5)
    if start.duration(to: .now) > patience { throw .numberTaken(id) }
    Machine.sleep(seconds: 0.02)
  }

  /// Those for whom the kernel keeps the number.
  private func holders() -> [ProcessStatus] {
    if let own = try? ProcessStatus(of: id) { return [own] }
    let all = ((try? Files.list("/proc")) ?? []).compactMap { Int32($0) }
    return all.compactMap { try? ProcessStatus(of: ProcessID($0)) }
      .filter { $0.processGroup == id || $0.session == id }
  }
}
