import BlockStorage
import Raid
import RaidGeometry

/// Giving an array another shape: what it takes, and the way there.
struct GrowWork {
  private let session: ArraySession
  private let write: WriteOptions
  private let context: CommandContext

  init(_ session: ArraySession, _ write: WriteOptions, _ context: CommandContext) {
    self.session = session
    self.write = write
    self.context = context
  }

  private var array: RaidArray { session.array }

  /// Begins a reshape and goes through with it.
  func begin(
    _ request: ReshapeRequest, adding paths: [String], rate: Int?
  ) throws(Failure) -> ExitStatus {
    var files: [NewMemberFile] = []
    var added: [any BlockDevice] = []
    var names: Set<String> = []
    for path in paths {
      if let known = session.member(at: path) {
        names.insert(known.name)
        // Cut off after it was made a spare, and given again.
        guard known.standing == .spare else {
          throw Failure(
            .usage, "\(path) is a member of the array already: \(known.standing.sentence)")
        }
        continue
      }
      let file = try NewMemberFile(path, session, write, context)
      files.append(file)
      added.append(file.device)
      names.insert(file.device.name)
    }
    let plan: ReshapePlan
    let new: String
    do throws(RaidError) {
      plan = try array.reshapePlan(request, givenCount: added.count)
      new = "\(Self.sentence(plan.new)), \(ByteSize(plan.new.byteCount))"
      for device in added { try array.requireFit(device) }
    } catch .unsuitable(.reshape(.nothingToChange)) {
      guard added.isEmpty else {
        throw Failure(
          .usage, "the array has this shape already, without \(paths.joined(separator: ", "))",
          hint: "'ftool raid add' makes it a spare")
      }
      return showUnchanged("the array has this shape already")
    } catch {
      throw Failure(error)
    }
    let before = "\(Self.sentence(array.shape)), \(ByteSize(array.byteCount))"
    if write.dryRun {
      try session.requireWritable()
      let way = plan.isFirstStep ? "first into \(new): then a member can leave" : "into \(new)"
      return show("would make \(before), \(way)", plan.new, isComplete: false, lost: [])
    }
    do throws(RaidError) {
      for device in added { try array.addSpare(device, isForReshape: true) }
      try array.beginReshape(plan, preferring: names)
    } catch {
      let failure = Failure(error)
      try? session.close()  // the first error is the one to tell
      throw failure
    }
    try session.close()
    let sentence = "made \(before), into \(new)"
    let devices = session.members.devices + added
    if plan.isInstant {
      try fill(devices, rate: rate)
      return show(sentence, plan.new, isComplete: true, lost: [])
    }
    if plan.isStaged {
      context.output.note(
        "the data has no room to move: it goes by way of spare room, and no Linux md can use the "
          + "array until it is done")
    }
    if plan.isFirstStep { context.output.note("first \(new): then a member can leave") }
    let report = try move(try reopen(devices), rate)
    if plan.isFirstStep, report.lostRanges.isEmpty {
      return try finish(devices, request, before)
    }
    return show(sentence, plan.new, isComplete: !plan.isFirstStep, lost: report.lostRanges)
  }

  /// What is asked for is so already.
  func showUnchanged(_ why: String) -> ExitStatus {
    show("nothing to change: \(why)", array.shape, isComplete: true, lost: [])
  }

  /// The last step, for which nothing has to be moved.
  private func finish(
    _ devices: [any BlockDevice], _ request: ReshapeRequest, _ before: String
  ) throws(Failure) -> ExitStatus {
    do throws(RaidError) {
      var options = RaidArray.Options()
      options.isWritable = true
      let array = try RaidArray.open(devices, options: options)
      let plan = try array.reshapePlan(request, givenCount: 0)
      try array.beginReshape(plan)
      return show(
        "made \(before), into \(Self.sentence(plan.new)), \(ByteSize(plan.new.byteCount))",
        plan.new,
        isComplete: true, lost: [])
    } catch {
      throw Failure(error)
    }
  }

  /// Uses more of each member, or less.
  func resize(_ size: Int?, allowsShrinking: Bool) throws(Failure) -> ExitStatus {
    let new: ArrayShape
    do throws(RaidError) {
      new = try array.resizedShape(size, allowsShrinking: allowsShrinking)
    } catch .unsuitable(.reshape(.nothingToChange)) {
      return showUnchanged(
        size == nil
          ? "the array uses all the room that its members have in common"
          : "the array has this size already")
    } catch {
      throw Failure(error)
    }
    let change =
      "\(Self.sentence(array.shape)) of \(ByteSize(array.byteCount)) into one of "
      + "\(ByteSize(new.byteCount))"
    if write.dryRun {
      try session.requireWritable()
      return show("would make \(change)", new, isComplete: false, lost: [])
    }
    let more = (new.memberByteCounts.min() ?? 0) - (array.shape.memberByteCounts.min() ?? 0)
    let line = context.progress("empty", total: max(0, more))
    let isComplete: Bool
    do throws(RaidError) {
      isComplete = try array.resize(to: new, session.sweep(line, rate: nil))
    } catch {
      throw Failure(error)
    }
    line.finish()
    if !isComplete { try context.stop.check() }
    return show("made \(change)", new, isComplete: true, lost: [])
  }

  /// Goes on with a reshape that is under way.
  ///
  /// - Parameter last: what is done then, where this was the first of two steps.
  func goOn(rate: Int?, then last: ReshapeRequest? = nil) throws(Failure) -> ExitStatus {
    let goal = array.reshapeGoal.map(Self.sentence) ?? "reshaped"
    if write.dryRun {
      return show("would make the array \(goal)", nil, isComplete: false, lost: [])
    }
    let before = "\(Self.sentence(array.shape)), \(ByteSize(array.byteCount))"
    let report = try move(array, rate)
    if let last, report.lostRanges.isEmpty {
      return try finish(session.members.devices, last, before)
    }
    if let goal = array.reshapeGoal, goal.isBetweenRaid5And6 {
      context.output.note(
        "this is the first step of a way from raid6 to raid5: 'ftool raid grow --level 5' goes to its end"
      )
    }
    return show("the array is \(goal)", nil, isComplete: true, lost: report.lostRanges)
  }

  private func reopen(_ devices: [any BlockDevice]) throws(Failure) -> RaidArray {
    var options = RaidArray.Options()
    options.isWritable = true
    options.reshapes = true
    do throws(RaidError) {
      return try RaidArray.open(devices, options: options)
    } catch {
      throw Failure(error)
    }
  }

  /// Moves what is to be moved. A signal ends it with an error, for the next run to go on.
  private func move(_ array: RaidArray, _ rate: Int?) throws(Failure) -> ReshapeReport {
    let line = context.progress(
      "reshape", total: array.reshapeGoal?.byteCount ?? array.byteCount,
      startingAt: array.reshapedByteCount)
    let report: ReshapeReport
    do throws(RaidError) {
      report = try array.continueReshape(session.sweep(line, rate: rate))
    } catch {
      throw Failure(error)
    }
    line.finish()
    for failure in array.failures {
      context.output.warn(
        "\(failure.name) was taken out of use: \(Failure(failure.cause, on: failure.name).message)")
    }
    if !report.isComplete {
      context.output.note(
        "the reshape stands at \(ByteSize(report.position)) of \(ByteSize(report.end))"
          + (array.losesDataInLinux
            ? "; let no Linux md go on with it: it loses data when such a reshape is stopped" : ""))
      try context.stop.check()
    }
    for range in report.lostRanges {
      context.output.warn(
        "bytes \(range.lowerBound) to \(range.upperBound - 1) of the array could be read nowhere: "
          + "they are marked as lost")
    }
    return report
  }

  /// Goes on with filling who has come.
  func fillOn(rate: Int?) throws(Failure) -> ExitStatus {
    let shape = Self.sentence(array.shape)
    if write.dryRun {
      try session.requireWritable()
      return show("would fill the new members", array.shape, isComplete: false, lost: [])
    }
    try session.close()
    try fill(session.members.devices, rate: rate)
    return show("the array is \(shape)", array.shape, isComplete: true, lost: [])
  }

  /// Fills mirrors that have come.
  private func fill(_ devices: [any BlockDevice], rate: Int?) throws(Failure) {
    do throws(RaidError) {
      var options = RaidArray.Options()
      options.isWritable = true
      options.allowsDegraded = true
      let reopened = try RaidArray.open(devices, options: options)
      for slot in reopened.degradedSlots {
        guard let name = reopened.members.slots[slot].member?.name else { continue }
        let line = context.progress("fill \(name)", total: reopened.memberByteCountInUse)
        let report = try reopened.rebuild(slot: slot, session.sweep(line, rate: rate))
        line.finish()
        if !report.isComplete { break }
      }
      try reopened.close()
    } catch {
      throw Failure(error)
    }
    try context.stop.check()
  }

  private func show(
    _ sentence: String, _ shape: ArrayShape?, isComplete: Bool, lost: [Range<Int>]
  ) -> ExitStatus {
    let shape = shape ?? array.reshapeGoal
    context.output.show(
      SimpleReport(
        type: "raid-grow", sentence,
        json: [
          "array": .string(array.name), "dry_run": .bool(write.dryRun),
          "level": .string(shape?.levelName), "members": .number(shape?.slotCount),
          "chunk_bytes": .number(shape?.chunkByteCount), "bytes": .number(shape?.byteCount),
          "complete": .bool(isComplete),
          "lost": .array(
            lost.map { ["offset": .number($0.lowerBound), "bytes": .number($0.count)] }),
        ]))
    return lost.isEmpty ? .done : .incomplete
  }

  /// `raid5 of 4 members`
  private static func sentence(_ shape: ArrayShape) -> String {
    let chunk = shape.chunkByteCount > 0 ? " with chunks of \(ByteSize(shape.chunkByteCount))" : ""
    return "\(shape.levelName) of \(shape.slotCount) members\(chunk)"
  }
}
