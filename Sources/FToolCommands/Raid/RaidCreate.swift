import ArgumentParser
import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import Raid
import RaidGeometry
import SystemPackage

/// `ftool raid create`: makes an array.
package struct RaidCreate: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "create", abstract: "Make an array.",
    discussion: """
      Nothing is written before everything is checked. A member that holds a filesystem, a partition \
      table or another array is refused, unless --force is given.
      """)

  @Argument(help: "The array's name.")
  package var name: String

  @Argument(
    help: "The members in their order: files, block devices, or 'missing'.", completion: .file())
  package var members: [String]

  @Option(
    name: [.customShort("l", allowingJoined: true), .long],
    help: """
      linear, 0 or stripe, 1 or mirror, 4, 5, 6, 10, or ec:K+M for K data and M parity members. \
      (default: 1 for two members, 5 for three, 6 for more)
      """,
    completion: .list(["linear", "0", "1", "4", "5", "6", "10"]),
    transform: LevelChoice.init(parsing:))
  package var level: LevelChoice?

  @Option(
    name: [.customShort("c", allowingJoined: true), .long],
    help: ArgumentHelp("How much of a stripe is on one member. (default: 512K)", valueName: "size"),
    transform: parsePositiveSize)
  package var chunk: Int?

  @Option(
    name: .long,
    help: """
      left-symmetric and the like for 5 and 6; near=N, far=N or offset=N for 10; original or \
      alternate for 0. (default: left-symmetric, near=2, alternate)
      """,
    completion: .list([
      "left-symmetric", "left-asymmetric", "right-symmetric", "right-asymmetric", "parity-first",
      "parity-last", "near=2", "far=2", "offset=2", "original", "alternate",
    ]),
    transform: LayoutChoice.init(parsing:))
  package var layout: LayoutChoice?

  @Option(
    name: .long, help: ArgumentHelp("The version of the superblocks.", valueName: "version"))
  package var metadata = MetadataChoice.version1_2

  @Option(
    name: .long,
    help: ArgumentHelp("The array's UUID. (default: a random one)", valueName: "uuid"),
    transform: UUIDChoice.init(parsing:))
  package var uuid: UUIDChoice?

  @Option(
    name: .long,
    help: ArgumentHelp("The host that the array belongs to. (default: this one)", valueName: "name")
  )
  package var homehost: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Where the data begins on each member. (default: as mdadm chooses it)", valueName: "size"),
    transform: parseSize)
  package var dataOffset: Int?

  @Option(name: .long, help: "The checksums that are kept of the data.")
  package var sums = SumsChoice.crc32c

  @Option(name: .long, help: "Whether a write-intent bitmap is kept on the members.")
  package var bitmap = InternalChoice.none

  @Option(
    name: .long,
    help:
      "Whether what is written goes through a journal on the members, so that a crash tears nothing. (default: internal, with sums)"
  )
  package var journal: InternalChoice?

  @Option(
    name: .long,
    help: ArgumentHelp("The last so many members are spares.", valueName: "count"))
  package var spares = 0

  @Option(
    name: .long,
    help: ArgumentHelp("Use only this much of each member.", valueName: "size"),
    transform: parsePositiveSize)
  package var size: Int?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Create the member files first, sparse, each of this size.", valueName: "size"),
    transform: parsePositiveSize)
  package var make: Int?

  @Flag(name: .long, help: "Do not compute parity now: the members' content agrees already.")
  package var assumeClean = false

  @OptionGroup package var write: WriteOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  /// The members that hold data from the start, `missing` among them.
  package var activeMemberCount: Int { members.count - spares }

  /// The level that was asked for, or the one that so many members get.
  package var effectiveLevel: LevelChoice? {
    level ?? .standard(memberCount: activeMemberCount)
  }

  package func validate() throws {
    try checkName()
    try checkMembers()
    try checkLevel()
    if journal == .internal, sums == .none {
      throw ValidationError("a journal needs the checksums: leave out --sums none")
    }
  }

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let paths = try members.map { (text) throws(Failure) in try ArrayFinder.path(text) }
    let made = try makeFiles(paths)
    do {
      let status = try create(paths, context)
      if write.dryRun { Self.remove(made) }
      return status
    } catch {
      // Files that were made for an array that was not are of no use.
      Self.remove(made)
      throw error
    }
  }

  private func create(_ paths: [MemberPath], _ context: CommandContext) throws -> ExitStatus {
    let files: MemberFiles
    do {
      files = try MemberFiles(paths, for: write.dryRun ? .read : .write, context: context)
    } catch {
      guard error.status == .notFound, error.hint == nil else { throw error }
      throw Failure(error.status, error.message, hint: "--make SIZE makes the files first")
    }
    var opened = files.devices.makeIterator()
    let devices = paths.map { $0.isMissing ? nil : opened.next() }
    try requireNothingForeign(files.devices)
    let creation: ArrayCreation
    let wanted = try request()
    do throws(RaidError) {
      creation = try ArrayCreation(
        wanted, devices: Array(devices.prefix(activeMemberCount)),
        spares: devices.suffix(spares).compactMap { $0 })
    } catch {
      throw Failure(error)
    }
    let missing = paths.prefix(activeMemberCount).count(where: \.isMissing)
    guard creation.shape.redundancy >= missing else {
      throw Failure(
        .usage,
        "\(missing) members are missing, and level \(creation.shape.levelName) survives the loss of "
          + "\(creation.shape.redundancy)")
    }
    let isZero = creation.isAllHoles
    if assumeClean, !isZero, !write.force {
      try requireZeros(creation)
    }
    if write.dryRun {
      context.output.show(CreationReport(creation, isPlan: true))
      return .done
    }
    do throws(RaidError) {
      try creation.write()
      let total = creation.shape.byteCount
      let line = context.progress("create", total: total)
      var options = SweepOptions()
      let stop = context.stop
      options.progress = { done, _ in
        line.update(done: done)
        return stop.signal == nil
      }
      _ = try creation.initialise(assumesClean: isZero || assumeClean, options)
      line.finish()
    } catch {
      throw Failure(error)
    }
    if let signal = context.stop.signal {
      throw Failure.interrupted(
        signal: signal,
        resuming: make == nil
          ? "'ftool raid scrub' computes the rest of the parity"
          : "the files that were made are removed: run the same command again")
    }
    ArrayRegistry(context).remember(
      creation.arrayID, name: creation.request.name, paths: files.devices.map(\.name)
    ) { _ in false }
    context.output.show(CreationReport(creation, isPlan: false))
    return .done
  }

  private func request() throws(Failure) -> ArrayCreation.Request {
    guard let level = effectiveLevel else { throw Failure(.usage, "no level") }
    let host = homehost ?? Machine.hostName
    let full = "\(host):\(name)"
    // mdadm leaves the host out where the name would be too long with it.
    var request = ArrayCreation.Request(
      level: level.engine, layout: level.word(layout),
      chunkByteCount: level.hasChunks ? chunk ?? 512 << 10 : 0,
      name: host.isEmpty || full.utf8.count > 32 ? name : full)
    request.version = metadata.engine
    request.arrayID = uuid.flatMap { Identifier($0.hex) }
    request.hasSums = sums == .crc32c
    request.hasBitmap = bitmap == .internal
    request.hasJournal = request.hasSums && journal != InternalChoice.none
    request.memberByteCount = size
    request.dataOffset = dataOffset
    return request
  }

  /// Makes the files that `--make` asks for; returns their paths.
  private func makeFiles(_ paths: [MemberPath]) throws(Failure) -> [String] {
    guard let make else { return [] }
    var made: [String] = []
    for path in paths where !path.isMissing {
      do throws(SystemCallError) {
        try Files.createSparse(path.path, size: make)
        made.append(path.path)
      } catch {
        Self.remove(made)
        if error.errno == .fileExists {
          throw Failure(
            .wouldOverwrite, "\(path) is there already",
            hint: "leave out --make to use it, or remove it")
        }
        throw Failure(error)
      }
    }
    return made
  }

  private static func remove(_ made: [String]) {
    for path in made { try? Files.unlink(path) }
  }

  /// Refuses members that hold something.
  private func requireNothingForeign(_ devices: [any BlockDevice]) throws(Failure) {
    if write.force { return }
    for device in devices { try NewMemberFile.requireNothingForeign(on: device) }
  }

  /// `--assume-clean` is for members that are all zeros.
  private func requireZeros(_ creation: ArrayCreation) throws(Failure) {
    let name: String?
    do throws(RaidError) { name = try creation.firstNonZeroMember() } catch { throw Failure(error) }
    guard let name else { return }
    throw Failure(
      .wouldOverwrite, "\(name) is not all zeros, so parity and copies may not agree",
      hint: "leave out --assume-clean, or give --force if you know that they do")
  }

  private func checkName() throws {
    let isPlain = name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    guard isPlain, !name.isEmpty, !name.contains("/"), !name.contains(":") else {
      throw ValidationError(
        "'\(name)' cannot name an array: a name has no blanks, '/' or ':' in it, and comes before "
          + "the members")
    }
    guard name.utf8.count <= 32 else {
      throw ValidationError("the array's name '\(name)' is longer than 32 bytes")
    }
    if let homehost,
      homehost.utf8.count > 31
        || !homehost.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3A })
    {
      throw ValidationError("the homehost has at most 31 bytes, and no blanks or ':' in it")
    }
    // What `create a.img b.img c.img` means is not an array of two, called a.img.
    if (try? Files.kind(of: name)) == .regular {
      throw ValidationError("'\(name)' is a file: the array's name comes before its members")
    }
  }

  private func checkMembers() throws {
    guard !members.contains("") else { throw ValidationError("a member's path is empty") }
    let paths = members.filter { $0 != "missing" }
    for (index, path) in paths.enumerated() where paths[..<index].contains(path) {
      throw ValidationError("'\(path)' is given twice")
    }
    guard (0..<members.count).contains(spares) else {
      throw ValidationError("of \(members.count) members \(spares) cannot be spares")
    }
    guard !paths.isEmpty else { throw ValidationError("all members are missing") }
    guard !members.suffix(spares).contains("missing") else {
      throw ValidationError("a spare cannot be missing")
    }
    guard members.count <= LevelChoice.maximumMemberCount else {
      throw ValidationError(
        "there are \(members.count) members: an array has at most "
          + "\(LevelChoice.maximumMemberCount)")
    }
  }

  private func checkLevel() throws {
    guard let level = effectiveLevel else {
      throw ValidationError(
        "one member alone has no level by itself: say --level linear or 0, or give more members")
    }
    let count = activeMemberCount
    guard (level.minimumMemberCount...level.maximumMemberCount).contains(count) else {
      let most = level.maximumMemberCount
      let range =
        level.minimumMemberCount == most ? "\(most)" : "\(level.minimumMemberCount) to \(most)"
      throw ValidationError(
        "level \(level) has \(range) members, and \(count) \(count == 1 ? "is" : "are") given")
    }
    if spares > 0, !level.hasRedundancy {
      throw ValidationError("level \(level) has no redundancy, so a spare is of no use to it")
    }
    if bitmap == .internal, !level.hasRedundancy {
      throw ValidationError("level \(level) has no use for a bitmap: there is nothing to resync")
    }
    try checkLayout(level)
    try checkChunk(level)
    try checkSize(level)
    try checkDataOffset()
  }

  private func checkLayout(_ level: LevelChoice) throws {
    guard let layout else { return }
    guard layout.fits(level) else {
      throw ValidationError("level \(level) has no layout '\(layout)'")
    }
    if let copyCount = layout.copyCount, copyCount > activeMemberCount {
      throw ValidationError(
        "layout \(layout) needs \(copyCount) members, and \(activeMemberCount) are given")
    }
  }

  private func checkChunk(_ level: LevelChoice) throws {
    guard let chunk else { return }
    guard level.hasChunks else { throw ValidationError("level \(level) has no chunks") }
    guard chunk.nonzeroBitCount == 1, (4096...16 << 20).contains(chunk) else {
      throw ValidationError(
        "a chunk is a power of two from 4K to 16M, not "
          + (chunk % 1024 == 0 ? "\(ByteSize(chunk))" : "\(chunk) bytes"))
    }
  }

  private func checkSize(_ level: LevelChoice) throws {
    guard let size else { return }
    let least = level.hasChunks ? chunk ?? 512 << 10 : 64 << 10
    guard size >= least else {
      throw ValidationError(
        "--size is less than \(level.hasChunks ? "one chunk of " : "")\(ByteSize(least))")
    }
  }

  private func checkDataOffset() throws {
    guard let dataOffset else { return }
    guard metadata != .version1_0 || dataOffset == 0 else {
      throw ValidationError("with metadata 1.0 the data begins at the start of a member")
    }
    guard dataOffset % 4096 == 0 else {
      throw ValidationError("the data begins at a multiple of 4K, not at byte \(dataOffset)")
    }
  }
}
