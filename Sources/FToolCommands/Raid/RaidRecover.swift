import ArgumentParser
import BlockStorage
import LinuxSystem
import Raid
import RaidGeometry

/// `ftool raid recover`: finds how images of unknown order belong together.
package struct RaidRecover: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "recover",
    abstract: "Find how images belong together; start by force what lacks current members.",
    discussion: """
      Shows the candidates, the best first, and the command that reads that one; writes nothing. With \
      --force it starts an array whose members say what they are, and of which too few are current: it \
      shows what proves that others may be taken back, and what would be lost, and asks before it writes.
      """)

  @Argument(
    help: "The images, in any order; 'missing' for one that is not there.", completion: .file())
  package var members: [String]

  @Option(
    name: [.customShort("l", allowingJoined: true), .long],
    help: "The level, if it is known: linear, 0, 1, 4, 5, 6 or 10.",
    completion: .list(["linear", "0", "1", "4", "5", "6", "10"]),
    transform: LevelChoice.init(parsing:))
  package var level: LevelChoice?

  @Option(
    name: [.customShort("c", allowingJoined: true), .long],
    help: ArgumentHelp("The chunk size, if it is known.", valueName: "size"),
    transform: parsePositiveSize)
  package var chunk: Int?

  @Option(
    name: .long,
    help: "The layout, if it is known, by the names that create and mdadm use; needs --level.")
  package var layout: String?

  @Option(
    name: .long,
    help: ArgumentHelp("Where the data begins on each member, if it is known.", valueName: "size"),
    transform: parseSize)
  package var dataOffset: Int?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "How much of each member the array uses, if it is known.", valueName: "size"),
    transform: parsePositiveSize)
  package var size: Int?

  @Option(
    name: .long,
    help: ArgumentHelp("How many members the array has, if some are not given.", valueName: "count")
  )
  package var memberCount: Int?

  @Flag(name: .long, help: "Do not believe superblocks, nor what is left of them.")
  package var ignoreSuperblocks = false

  @OptionGroup package var holes: HolesOption
  @OptionGroup package var lock: LockOptions
  @OptionGroup package var write: WriteOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func validate() throws {
    guard members.contains(where: { $0 != "missing" }), !members.contains("") else {
      throw ValidationError("there must be an image to look at")
    }
    guard members.count <= LevelChoice.maximumMemberCount,
      (1...LevelChoice.maximumMemberCount).contains(memberCount ?? 1)
    else { throw ValidationError("an array has at most \(LevelChoice.maximumMemberCount) members") }
    let paths = members.filter { $0 != "missing" }
    for (index, path) in paths.enumerated() where paths[..<index].contains(path) {
      throw ValidationError("'\(path)' is given twice")
    }
    if case .erasure? = level {
      throw ValidationError("ec:K+M is found by its superblocks only")
    }
    if let layout {
      guard let level else { throw ValidationError("--layout needs --level") }
      do {
        _ = try AssumedLayout.word(layout, level)
      } catch {
        throw ValidationError("--layout: \(error)")
      }
    }
    if let chunk {
      guard chunk.nonzeroBitCount == 1, (4096...16 << 20).contains(chunk) else {
        throw ValidationError("a chunk is a power of two from 4K to 16M, not \(ByteSize(chunk))")
      }
    }
    if let dataOffset, dataOffset % 512 != 0 {
      throw ValidationError("--data-offset is a multiple of 512")
    }
    if write.force, narrows {
      throw ValidationError(
        "--force goes by superblocks, and takes none of the options that narrow a search")
    }
  }

  private var narrows: Bool { narrowsLayout || !holes.holes.isEmpty }

  /// Options say what superblocks would, or that they are not to be believed.
  private var narrowsLayout: Bool {
    level != nil || chunk != nil || layout != nil || dataOffset != nil || size != nil
      || memberCount != nil || ignoreSuperblocks
  }

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    if write.force { return try performForce(context) }
    let devices = try open()
    let line = context.progress("recover", total: nil)
    let result: RecoveryResult
    do throws(RaidError) {
      result = try LayoutRecovery.search(devices, request: request()) { count in
        line.update(done: count)
        return context.stop.signal == nil
      }
    } catch {
      line.clear()
      if error == .interrupted {
        try context.stop.check(resuming: "nothing was changed; the search would begin anew")
      }
      throw Failure(error)
    }
    line.clear()
    for note in result.notes { context.output.note(note) }
    let report = RecoveryReport(
      result, members: members, holes: holes.holes, standing: standing(devices, result))
    guard !result.candidates.isEmpty else {
      throw Failure(
        .damaged, "no layout fits these images", hint: result.advice.joined(separator: "; "))
    }
    context.output.show(report)
    for warning in [report.staleness, report.disagreement].compactMap({ $0 }) {
      context.output.warn(warning)
    }
    guard result.isDecided else {
      throw Failure(
        .damaged, "the layout cannot be determined: several are as good as each other",
        hint: result.advice.joined(separator: "; "))
    }
    return .done
  }

  /// Those of the members that can be read by their superblocks alone, as the array that was found; none where one that
  /// is there says nothing, and may be the only one to know better.
  private func standing(_ devices: [(any BlockDevice)?], _ result: RecoveryResult) -> [String] {
    if narrowsLayout { return [] }
    let probes = devices.compactMap { $0 }.map { try? MemberProbe($0) }
    guard !probes.contains(where: { $0 == nil }),
      let assembly = try? Assembly(probes.compactMap { $0 }),
      let array = try? RaidArray.open(assembly, options: RaidArray.Options()),
      array.byteCount == result.candidates.first?.shape.byteCount
    else { return [] }
    return assembly.members.indices.filter { assembly.standings[$0].isUsed }
      .map { assembly.members[$0].name }
  }

  private func request() -> RecoveryRequest {
    var request = RecoveryRequest()
    request.level = level?.engine.number
    if let level, let layout { request.layout = try? AssumedLayout.word(layout, level) }
    request.chunkByteCount = chunk
    request.dataOffset = dataOffset
    request.memberByteCount = size
    request.slotCount = memberCount
    request.usesSuperblocks = !ignoreSuperblocks
    return request
  }

  private func open() throws(Failure) -> [(any BlockDevice)?] {
    var devices: [(any BlockDevice)?] = []
    for member in members {
      let path = try ArrayFinder.path(member)
      if path.isMissing {
        devices.append(nil)
        continue
      }
      do throws(MemberPathError) {
        devices.append(try path.open(access: .readOnly))
      } catch {
        throw Failure(error, path)
      }
    }
    // Those that are there, hidden where their maps say so, in their places.
    var hidden = try holes.hide(in: devices.compactMap(\.self)).makeIterator()
    return devices.map { $0 == nil ? nil : hidden.next() }
  }
}
