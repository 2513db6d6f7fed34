import Raid
import RaidGeometry

/// What a scrub found, for people and scripts.
struct ScrubResult: Report {
  /// Lines of single findings that are shown to people; scripts get all that were kept.
  private static let lineLimit = 20

  private let report: ScrubReport
  private let name: String
  private let repairs: Bool
  /// Where it went on; 0 for from the start.
  private let resumedAt: Int

  init(_ report: ScrubReport, _ array: RaidArray, repairs: Bool, resumedAt: Int) {
    self.resumedAt = resumedAt
    self.report = report
    name = array.name
    self.repairs = repairs
  }

  let type = "raid-scrub"

  func text(_ style: TextStyle) -> String {
    var lines: [String] = []
    let runs = self.runs
    for run in runs.prefix(Self.lineLimit) { lines.append(sentence(run)) }
    let shown = runs.prefix(Self.lineLimit).reduce(0) { $0 + $1.count }
    let found = report.findingCount - report.earlier.repairedCount - report.earlier.unrepairedCount
    if found > shown { lines.append("… and " + counted(found - shown, "more block")) }
    let checked = "\(name): checked \(ByteSize(report.checkedByteCount))"
    let skipped =
      report.skippedByteCount > 0 ? ", \(ByteSize(report.skippedByteCount)) are holes" : ""
    lines.append(checked + skipped)
    if report.resyncedBlockCount > 0 {
      lines.append(
        report.resyncedBlockCount == 1
          ? "1 block that was in doubt agrees again"
          : "\(report.resyncedBlockCount) blocks that were in doubt agree again")
    }
    if report.undecidedBlockCount > 0 {
      lines.append(
        "\(report.undecidedBlockCount) of the blocks that are left can't be computed, since the others may not "
          + "agree on them: the array stays in doubt until they are written again; --force takes what the "
          + "others say")
    }
    if report.unprovenBlockCount > 0 {
      lines.append(
        countedPast(report.unprovenBlockCount, "block")
          + " taken as they are, since their checksums were damaged or gone and nobody else can vouch for them"
      )
    }
    if report.renewedSumCount > 0 {
      lines.append(countedPast(report.renewedSumCount, "sum") + " renewed")
    }
    if report.dueSumCount > 0 {
      lines.append(
        countedPresent(report.dueSumCount, "sum")
          + " damaged, stale or not there yet: a scrub that repairs gives them anew")
    }
    let earlier = report.earlier.repairedCount + report.earlier.unrepairedCount
    if report.findingCount == 0 {
      lines.append("no problems found")
    } else {
      lines.append(
        counted(report.findingCount, "problem") + " found, \(report.repairedCount) repaired, "
          + "\(report.unrepairedCount) left")
    }
    if earlier > 0 {
      lines.append(
        "\(earlier) of them were found before the scrub was interrupted, "
          + "\(report.earlier.repairedCount) repaired, \(report.earlier.unrepairedCount) left; "
          + "they are not listed here")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Findings that follow each other on one member and have the same problem and outcome.
  private var runs: [[ScrubReport.Finding]] {
    var runs: [[ScrubReport.Finding]] = []
    let ordered = report.findings.sorted {
      ($0.slot ?? -1, $0.memberOffset) < ($1.slot ?? -1, $1.memberOffset)
    }
    for finding in ordered {
      if let last = runs.last?.last, last.slot == finding.slot, last.problem == finding.problem,
        last.outcome == finding.outcome, last.memberOffset + 4096 == finding.memberOffset
      {
        runs[runs.count - 1].append(finding)
      } else {
        runs.append([finding])
      }
    }
    return runs
  }

  private func sentence(_ run: [ScrubReport.Finding]) -> String {
    let finding = run[0]
    let start = finding.memberOffset
    let bytes =
      run.count == 1 ? "block at byte \(start)" : "bytes \(start) to \(start + 4096 * run.count)"
    let place =
      finding.member.map { "\($0), \(bytes) of its data" }
      ?? "\(bytes) of the members' data"
    let problem =
      switch finding.problem {
      case .damaged: "the content does not agree with its sum"
      case .unreadable: "the member cannot read it"
      case .wrongParity: "the parity is not that of the data"
      case .wrongData: "the other members say that the data is wrong"
      case .differingCopy: "the copy differs from the others"
      case .wrongSum: "the sum was wrong, the data is right"
      }
    let outcome =
      switch finding.outcome {
      case .repaired: "repaired"
      case .left: "not repaired, as asked"
      case .unrepairable: "cannot be repaired: too much is lost"
      case .cannotBeKnown: "which member is wrong cannot be known"
      }
    return "\(place): \(problem): \(outcome)"
  }

  var json: JSONValue {
    [
      "array": .string(name), "complete": .bool(report.isComplete),
      "position": .number(report.position), "end": .number(report.end),
      "checked_bytes": .number(report.checkedByteCount),
      "skipped_bytes": .number(report.skippedByteCount),
      "problems": .number(report.findingCount), "repaired": .number(report.repairedCount),
      "unrepaired": .number(report.unrepairedCount),
      "resumed_at": resumedAt > 0 ? .number(resumedAt) : .null,
      "repaired_before": .number(report.earlier.repairedCount),
      "unrepaired_before": .number(report.earlier.unrepairedCount),
      "resynced_blocks": .number(report.resyncedBlockCount),
      "undecided_blocks": .number(report.undecidedBlockCount),
      "unproven_blocks": .number(report.unprovenBlockCount),
      "renewed_sums": .number(report.renewedSumCount), "due_sums": .number(report.dueSumCount),
      "findings": .array(
        report.findings.map { finding in
          [
            "problem": .string(finding.problem.rawValue),
            "outcome": .string(finding.outcome.rawValue), "member": .string(finding.member),
            "slot": .number(finding.slot), "member_offset": .number(finding.memberOffset),
            "bytes": 4096,
          ]
        }),
    ]
  }
}
