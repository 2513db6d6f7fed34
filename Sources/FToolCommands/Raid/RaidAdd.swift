import ArgumentParser
import BlockStorage
import MDFormat
import Raid

/// `ftool raid add`: gives an array a member.
package struct RaidAdd: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Add a member: back to its place, to an empty place, or as a spare.")

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .long, help: ArgumentHelp("The member to add.", valueName: "member"),
    completion: .file())
  package var new: String

  @Flag(name: .long, help: "Keep it as a spare, even if a place is empty.")
  package var spare = false

  @OptionGroup package var change: ChangeOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let session = try change.open(operand, context)
    let known = session.member(at: new)
    if let known, known.standing.isUsed {
      throw Failure(
        .usage, "\(new) is a member of the array already: \(known.standing.sentence)")
    }
    if let known, known.standing == .split, !change.write.force {
      throw RebuildWork.wentItsOwnWay(known.name)
    }
    // One that was found is open and held already.
    let file = known == nil ? try NewMemberFile(new, session, change.write, context) : nil
    guard let device = known?.probe.device ?? file?.device else {
      preconditionFailure("it is known or new")
    }
    if !change.write.force { try session.requireNoLastCopy(device) }
    let slot = spare ? nil : self.slot(for: known?.probe, in: session.array)
    return try session.change(
      slot.map { "added \(new) in slot \($0); 'ftool raid rebuild' fills it" }
        ?? "added \(new) as a spare",
      dryRun: change.write.dryRun, type: "raid-add", member: new
    ) { (array) throws(RaidError) in
      if let slot {
        _ = try array.admit(device, toSlot: slot)
      } else {
        try array.addSpare(device)
      }
    }
  }

  /// Its own place, if nobody has that, or the first that is empty: not one that somebody is to be filled in.
  private func slot(for probe: MemberProbe?, in array: RaidArray) -> Int? {
    let empty = array.degradedSlots.filter { array.members.slots[$0].member == nil }
    if case .slot(let own)? = probe?.superblock.role, empty.contains(own) { return own }
    return empty.first
  }
}
