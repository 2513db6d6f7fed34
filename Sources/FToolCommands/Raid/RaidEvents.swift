import ArgumentParser
import BlockStorage
import LinuxSystem
import MDFormat
import Raid

/// `ftool raid events`: what has happened to an array.
package struct RaidEvents: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "events", abstract: "Show the history of an array, the newest last.",
    discussion: "Never changes a byte, and needs no lock.")

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Only what happened since this time, day, or so long ago.", valueName: "moment"),
    transform: Moment.init(parsing:))
  package var since: Moment?

  @Option(
    name: [.customShort("n"), .long],
    help: ArgumentHelp("Only the newest so many.", valueName: "count"))
  package var lines: Int?

  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func validate() throws {
    if let lines, lines < 1 { throw ValidationError("--lines takes a number from 1 on") }
  }

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let finder = ArrayFinder(operand, context: context)
    let probes = try look(at: finder.members(operand.array), context)
    guard let first = probes.first else { throw Failure(.notFound, "no members were found") }
    if let other = probes.first(where: {
      $0.superblock.arrayID != first.superblock.arrayID
    }) {
      throw Failure(RaidError.notStartable(.mixed(first.name, other.name)))
    }
    let all = probes.events
    var events = all
    if let since {
      let start = since.secondsSinceEpoch(now: Machine.now().seconds)
      events.removeAll { Int64(clamping: $0.seconds) < start }
    }
    if let lines { events = events.suffix(lines) }
    let newest = probes.max { $0.superblock.events < $1.superblock.events } ?? first
    if !probes.contains(where: \.keepsEvents) {
      context.output.note(
        "the members of \(newest.superblock.name) have no room for a history: another tool made them"
      )
    }
    context.output.show(
      EventsReport(
        array: newest.superblock.name, arrayID: newest.superblock.arrayID, events: events,
        total: all.count))
    return .done
  }

  /// The members that are there; what is wrong with others is only worth a warning.
  private func look(
    at paths: [MemberPath], _ context: CommandContext
  ) throws(Failure) -> [MemberProbe] {
    var probes: [MemberProbe] = []
    var problems: [Failure] = []
    for path in paths where !path.isMissing {
      do throws(Failure) {
        for device in try MemberFiles([path], for: .look, context: context).devices {
          do throws(RaidError) { probes.append(try MemberProbe(device)) } catch {
            problems.append(Failure(error))
          }
        }
      } catch {
        problems.append(error)
      }
    }
    if probes.isEmpty, let problem = problems.first { throw problem }
    for problem in problems { context.output.warn(problem.message) }
    return probes
  }
}
