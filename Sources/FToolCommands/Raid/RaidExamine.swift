import ArgumentParser
import BlockStorage
import LinuxSystem
import Raid

/// `ftool raid examine`: what is written on members about their array.
package struct RaidExamine: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "examine", abstract: "Show the metadata of members.",
    discussion: "Never changes a byte, and needs no lock.")

  @Argument(help: "The members.", completion: .file())
  package var member: [String]

  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    var items: [RaidExamineReport.Item] = []
    var failures: [Failure] = []
    for text in member {
      do throws(Failure) {
        let (item, failure) = try Self.examine(text)
        if let item { items.append(item) }
        if let failure { failures.append(failure) }
      } catch {
        failures.append(error)
      }
    }
    if !items.isEmpty { context.output.show(RaidExamineReport(items: items)) }
    // The others are told of; the first is how the command ends.
    for failure in failures.dropFirst() { context.output.warn(failure.message) }
    if let failure = failures.first { throw failure }
    return .done
  }

  /// What there is to show of a device, and why it is no member if it is none.
  private static func examine(
    _ text: String
  ) throws(Failure) -> (RaidExamineReport.Item?, Failure?) {
    let path: MemberPath
    do throws(MemberPathError) {
      path = try MemberPath(parsing: text)
    } catch {
      throw Failure(.usage, "'\(text)' names no member: \(error)")
    }
    let device: any BlockDevice
    do throws(MemberPathError) {
      device = try path.open(access: .readOnly)
    } catch {
      throw Failure(error, path)
    }
    if let probe = try? MemberProbe(device) { return (.member(try RaidExamineFinding(probe)), nil) }
    let places = SuperblockPlaces(device)
    return (places.suspects.isEmpty ? nil : .broken(places), places.failure)
  }
}
