import BlockStorage
import Raid

/// `ftool raid recover --force`: starts an array that lacks current members, if what it has proves enough.
extension RaidRecover {
  func performForce(_ context: CommandContext) throws -> ExitStatus {
    let paths = try ArrayFinder(folders: [], context: context).members(members)
    let files = try MemberFiles(
      paths, for: write.dryRun ? .read : .write, wait: lock.wait, context: context)
    let plan: ForcedStart
    do throws(RaidError) {
      plan = try ForcedStart(Assembly(devices: files.devices))
    } catch {
      throw Failure(error)
    }
    for left in plan.assembly.unusable {
      context.output.warn(
        "\(Failure(RaidError.notStartable(left.reason)).message): it is as if it were not given")
    }
    let report = ForcedStartReport(plan, state: .planned, isDryRun: write.dryRun)
    guard plan.verdict == .possible else {
      context.output.show(report)
      if plan.verdict == .impossible { throw Self.impossible(plan) }
      return .done
    }
    if !write.dryRun { try requireAllGiven(plan) }
    context.output.show(report)
    if write.dryRun {
      if let forgotten = Self.forgotten(plan, members) { context.output.warn(forgotten) }
      return .done
    }
    try context.confirm(report.question, write)
    do throws(RaidError) {
      try plan.carryOut()
    } catch {
      var failure = Failure(error)
      if failure.hint == nil {
        failure.hint = "run the same command again: it goes on where it was"
      }
      throw failure
    }
    context.output.show(ForcedStartReport(plan, state: .carriedOut, isDryRun: false))
    return plan.lost.isEmpty ? .done : .incomplete
  }

  /// Nobody is left behind because a path was forgotten.
  private func requireAllGiven(_ plan: ForcedStart) throws(Failure) {
    guard let forgotten = Self.forgotten(plan, members) else { return }
    throw Failure(
      .notFound, forgotten,
      hint: "give them: what they have may be newer. If they are lost, say 'missing' for each")
  }

  private static func forgotten(_ plan: ForcedStart, _ operands: [String]) -> String? {
    let back = plan.returning.map(\.slot)
    let absent = plan.assembly.slotsNotGiven.filter { !back.contains($0) }
    guard absent.count > operands.count(where: { $0 == "missing" }) else { return nil }
    return "the array counts on members that were not given: slot "
      + absent.map(String.init).joined(separator: ", slot ")
  }

  private static func impossible(_ plan: ForcedStart) -> Failure {
    let slots = plan.emptySlots.map(String.init).joined(separator: ", ")
    guard !plan.refused.isEmpty else {
      return Failure(
        .notFound,
        "too few members: nobody current holds slot \(slots), and no other member was given that did once",
        hint: "give more members; 'ftool raid read --salvage' gets out what is still whole")
    }
    return Failure(
      .damaged,
      "nothing was changed: no proof that members which are out of date have what belongs in slot \(slots)",
      hint:
        "'ftool raid read --salvage --force -o FILE' takes what they held, too, and writes a map of what may "
        + "be old")
  }
}
