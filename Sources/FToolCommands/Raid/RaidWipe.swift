import ArgumentParser
import BlockStorage
import MDFormat
import Raid

/// `ftool raid wipe`: makes members plain files again.
package struct RaidWipe: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "wipe", abstract: "Erase the metadata of members.",
    discussion: "The data stays where it is, but nothing tells any more what belongs together.")

  @Argument(help: "The members.", completion: .file())
  package var members: [String]

  @OptionGroup package var lock: LockOptions
  @OptionGroup package var write: WriteOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func validate() throws {
    if members.contains("") { throw ValidationError("a member's path is empty") }
  }

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let paths = try members.map { (text) throws(Failure) in try ArrayFinder.path(text) }
    if paths.contains(where: \.isMissing) {
      throw Failure(.usage, "'missing' is no member that could be wiped")
    }
    let files = try MemberFiles(
      paths, for: write.dryRun ? .read : .write, wait: lock.wait, context: context)
    let erasures = try files.devices.map { (device) throws(Failure) in try erasure(of: device) }
    if !write.dryRun {
      try context.confirm("erase the metadata of \(Self.sentence(erasures))", write)
      for erasure in erasures {
        do throws(DeviceError) {
          try erasure.erase()
        } catch {
          throw Failure(error, on: erasure.device.name)
        }
      }
    }
    context.output.show(WipeReport(erasures: erasures, isPlan: write.dryRun))
    return .done
  }

  /// What there is to erase: refuses what is no member.
  private func erasure(of device: any BlockDevice) throws(Failure) -> MetadataErasure {
    let erasure: MetadataErasure
    let other: ContentSignature.Found?
    do throws(DeviceError) {
      erasure = try MetadataErasure(device)
      other = try ContentSignature.find(on: device).first
    } catch {
      throw Failure(error, on: device.name)
    }
    if !erasure.pieces.isEmpty { return erasure }
    if let other {
      throw Failure(
        .wouldOverwrite, "\(device.name) is no member of an array: it holds \(other.kind)",
        hint: "nothing was changed; 'wipefs' erases other signatures")
    }
    throw Failure(
      .notFound, "\(device.name) is not a member of an array: there is nothing to erase")
  }

  /// `a.img (photos, slot 0)`, or how many.
  private static func sentence(_ erasures: [MetadataErasure]) -> String {
    guard erasures.count == 1, let only = erasures.first else {
      return "\(erasures.count) members: \(erasures.map(\.device.name).joined(separator: ", "))"
    }
    return only.probe.map { "\($0.name), a member of \($0.superblock.name)" } ?? only.device.name
  }
}
