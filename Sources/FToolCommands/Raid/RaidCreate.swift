import ArgumentParser

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
    name: .long, help: "Whether a journal is kept on the members; there is none yet.")
  package var journal = InternalChoice.none

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
    if journal == .internal {
      throw ValidationError("a journal inside the array is not there yet: use --journal none")
    }
  }

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    throw Failure.notBuiltYet
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
    if let homehost, homehost.contains(":") || homehost.utf8.count > 31 {
      throw ValidationError("the homehost has at most 31 bytes and no ':' in it")
    }
  }

  private func checkMembers() throws {
    guard !members.contains("") else { throw ValidationError("a member's path is empty") }
    let paths = members.filter { $0 != "missing" }
    for (index, path) in paths.enumerated() where paths[..<index].contains(path) {
      throw ValidationError("'\(path)' is given twice")
    }
    guard (0...members.count).contains(spares) else {
      throw ValidationError("of \(members.count) members \(spares) cannot be spares")
    }
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
      throw ValidationError("level \(level) has \(range) members, and \(count) are given")
    }
    if spares > 0, !level.hasRedundancy {
      throw ValidationError("level \(level) has no redundancy, so a spare is of no use to it")
    }
    try checkLayout(level)
    try checkChunk(level)
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
      throw ValidationError("a chunk is a power of two from 4K to 16M, not \(ByteSize(chunk))")
    }
  }
}
