import ArgumentParser
import Raid

/// `ftool raid scrub`: compares all that is redundant, and repairs what is known to be wrong.
package struct RaidScrub: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "scrub", abstract: "Check parity, copies and checksums, and repair.",
    discussion: """
      Names the wrong member wherever it can be known: by checksum or by two parities. Where it \
      cannot be known it says so and repairs nothing. Interrupted, it goes on where it was.
      """)

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .long,
    help: ArgumentHelp("Whether to repair what is known to be wrong.", valueName: "when"))
  package var repair = RepairPolicy.auto

  @Option(
    name: .long,
    help: ArgumentHelp("Check only these bytes of the array.", valueName: "from-to"),
    transform: ByteRange.init(parsing:))
  package var range: ByteRange?

  @OptionGroup package var rate: RateOption
  @OptionGroup package var change: ChangeOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let repairs = repair == .auto && !change.write.dryRun
    let session = try open(context, repairs: repairs)
    let array = session.array
    var options = RaidArray.ScrubOptions()
    options.repairs = repairs
    if let range {
      guard range.lowerBound < array.byteCount, range.upperBound ?? 0 <= array.byteCount else {
        throw Failure(
          RaidError.outOfBounds(
            offset: range.lowerBound,
            byteCount: (range.upperBound ?? range.lowerBound) - range.lowerBound,
            arrayByteCount: array.byteCount))
      }
      options.range = range.lowerBound..<(range.upperBound ?? array.byteCount)
    }
    let work = array.scrubRange(options)
    if range == nil, work.lowerBound > 0 {
      context.output.note(
        "going on at \(ByteSize(work.lowerBound)) of \(ByteSize(work.upperBound)), where the last "
          + "scrub was interrupted")
    }
    let line = context.progress(
      "scrub", total: work.upperBound, startingAt: work.lowerBound)
    options.sweep = session.sweep(line, rate: rate.rate)
    let report: ScrubReport
    do throws(RaidError) {
      report = try array.scrub(options)
    } catch {
      line.clear()
      try session.close()
      throw Failure(error)
    }
    line.finish()
    try session.close()
    context.output.show(
      ScrubResult(
        report, array, repairs: repairs, resumedAt: range == nil ? work.lowerBound : 0))
    try context.stop.check()
    if report.unrepairedCount > 0 { return .unrepaired }
    return report.repairedCount > 0 ? .repaired : .done
  }

  /// Who repairs first gives members that have no checksums room for these.
  private func open(_ context: CommandContext, repairs: Bool) throws(Failure) -> ArraySession {
    let session = try change.open(operand, context) {
      $0.use = repairs ? .write : .read
      $0.renewsSums = true
    }
    let array = session.array
    guard repairs, range == nil, !array.isReshaping, !array.membersLackingSums.isEmpty else {
      return session
    }
    let names: [String]
    do throws(RaidError) {
      names = try array.renewRegions()
    } catch {
      try session.close()
      throw Failure(error)
    }
    for name in array.membersLackingSums where !names.contains(name) {
      context.output.warn(
        "\(name) keeps no checksums, and has no room for them: 'ftool raid replace' puts another in its place"
      )
    }
    if names.isEmpty { return session }
    for name in names { context.output.note("\(name) had no checksums, and keeps them again") }
    return try session.reopened()
  }
}
