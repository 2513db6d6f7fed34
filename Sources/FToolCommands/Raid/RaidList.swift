import ArgumentParser
import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import Raid

/// `ftool raid list`: the arrays that are known or found.
package struct RaidList: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the arrays that are known or found.",
    discussion: """
      Looks where members were before, and in the current folder or those of --scan. Never changes \
      a byte, and needs no lock.
      """)

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Look for members in this folder. (default: the current one)", valueName: "dir"),
    completion: .directory)
  package var scan: [String] = []

  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let finder = ArrayFinder(folders: scan.isEmpty ? ["."] : scan, context: context)
    var broken = Set<String>()
    let found = try look(finder, &broken, context)
    var lines: [ListReport.Line] = []
    for probes in found {
      do throws(RaidError) {
        let status = try ArrayStatus(probes: probes)
        lines.append(.init(status, probes))
        guard !status.degradedSlots.isEmpty else { continue }
        for (path, why) in finder.broken(of: status.reference.arrayID, besides: probes)
        where broken.insert(path).inserted {
          context.output.warn(why.message)
        }
      } catch {
        // Members that contradict each other are an array that can't be used, and are listed as one.
        lines.append(.init(probes, Failure(error)))
      }
    }
    lines.sort { ($0.name, $0.uuid) < ($1.name, $1.uuid) }
    context.output.show(ListReport(lines: lines))
    return .done
  }

  /// The members that are there, by array; and where some are that can't be used, which it warns of.
  private func look(
    _ finder: ArrayFinder, _ broken: inout Set<String>, _ context: CommandContext
  ) throws(Failure) -> [[MemberProbe]] {
    var arrays: [Identifier: [MemberProbe]] = [:]
    var seen = Set<FileKey>()
    func consider(_ path: MemberPath) {
      switch finder.look(at: path) {
      case .member(let probe):
        guard let key = FileKey(probe.device), seen.insert(key).inserted else { return }
        arrays[probe.superblock.arrayID, default: []].append(probe)
      case .broken(let error):
        guard broken.insert((try? Files.realPath(path.path)) ?? path.path).inserted else { return }
        context.output.warn(Failure(error).message)
      case .closed, .stranger: break
      }
    }
    for folder in finder.folders {
      for path in try finder.candidates(in: folder) { consider(path) }
    }
    for entry in ArrayRegistry(context).entries {
      for path in entry.paths.compactMap({ try? MemberPath(parsing: $0) }) { consider(path) }
    }
    return Array(arrays.values)
  }

  /// Which bytes of which file: one member under two names is one member.
  private struct FileKey: Hashable {
    let device: UInt64
    let inode: UInt64
    let start: Int

    init?(_ member: any BlockDevice) {
      guard let (file, range) = MemberFiles.file(of: member) else { return nil }
      device = file.identity.device
      inode = file.identity.inode
      start = range.lowerBound
    }
  }
}
