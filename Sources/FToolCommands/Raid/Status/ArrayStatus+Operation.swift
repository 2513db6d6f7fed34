import LinuxSystem
import MDFormat
import Raid

extension ArrayStatus {
  /// A long job that runs or was interrupted, as it is noted on the members.
  struct Operation: Equatable, Sendable {
    /// `scrub`, `resync`, `rebuild`, `replace` or `reshape`.
    var name: String
    var isRunning: Bool
    var done: Int
    var total: Int
    /// Seconds since 1970; nil where only the recovery offset is known.
    var startedAt: UInt64?
    var updatedAt: UInt64?
    /// Bytes per second since it was started.
    var rate: Int?

    /// Whether it makes a member good.
    var isRecovery: Bool { name == "rebuild" || name == "replace" }

    var secondsLeft: Int? {
      guard isRunning, let rate, rate > 0 else { return nil }
      return (max(total, done) - done + rate - 1) / rate
    }

    /// nil where nothing goes on and nothing was left half done.
    init?(_ rows: [Row], assembly: Assembly, isWritten: Bool, total: Int?) {
      let filled = rows.first { $0.state == .rebuilding || $0.state == .replacing }
      let progress = assembly.members.indices.compactMap { index in
        assembly.standings[index].isUsed ? assembly.members[index].header?.progress : nil
      }.filter { $0.phase != .idle }.max { $0.updatedAt < $1.updatedAt }
      if let progress, progress.phase == .running || progress.phase == .interrupted,
        let name = progress.operation.name,
        // A member that was to be filled may have left since.
        filled != nil || progress.operation == .scrub || progress.operation == .resync
          || progress.operation == .reshape && assembly.reference.isReshaping
      {
        self.name = name
        isRunning = progress.phase == .running && isWritten
        done = progress.position
        self.total = progress.end
        startedAt = progress.startedAt
        updatedAt = progress.updatedAt
        let seconds = Int(clamping: progress.updatedAt) - Int(clamping: progress.startedAt)
        let bytes = progress.position - progress.startPosition
        rate = seconds > 0 && bytes >= 0 ? bytes / seconds : nil
      } else if assembly.reference.isReshaping, let total {
        name = "reshape"
        isRunning = isWritten
        let sectors = assembly.reference.reshape.positionSectors
        let position = sectors > UInt64(total / 512) ? total : Int(sectors) * 512
        done = assembly.reference.reshapesBackwards ? total - position : position
        self.total = total
      } else if let filled, let total {
        name = filled.state == .replacing ? "replace" : "rebuild"
        isRunning = isWritten
        done = min(filled.validByteCount ?? 0, total)
        self.total = total
      } else {
        return nil
      }
    }

    /// `42.0 %, 1 GiB of 2.4 GiB, 210 MiB/s, 7s left`
    var measures: String {
      let permille = total > 0 ? Int(Double(min(done, total)) / Double(total) * 1000) : 1000
      var parts = [
        "\(permille / 10).\(permille % 10) %", "\(ByteSize(done)) of \(ByteSize(total))",
      ]
      if isRunning, let rate { parts.append("\(ByteSize(rate))/s") }
      if let secondsLeft { parts.append("\(durationText(.seconds(secondsLeft))) left") }
      return parts.joined(separator: ", ")
    }
  }
}

extension MaintenanceProgress.Operation {
  fileprivate var name: String? {
    switch self {
    case .none: nil
    case .scrub: "scrub"
    case .rebuild: "rebuild"
    case .resync: "resync"
    case .replace: "replace"
    case .reshape: "reshape"
    }
  }
}
