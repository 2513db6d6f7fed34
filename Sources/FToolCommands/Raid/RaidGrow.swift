import ArgumentParser
import Raid
import RaidGeometry

/// `ftool raid grow`: gives an array another shape.
package struct RaidGrow: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "grow",
    abstract: "Add members, or change the level, the chunk size or the layout.",
    discussion: """
      The data stays readable meanwhile. Interrupted, it goes on where it was: by this command without a \
      change, or by mdadm, unless it has to go by way of spare room.
      """)

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .long, parsing: .singleValue,
    help: ArgumentHelp(
      "A new member. May be given more than once; spares of the array come after them.",
      valueName: "member"), completion: .file())
  package var add: [String] = []

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Members that the array shall have. (default: as it has, and those that are added)",
      valueName: "count"))
  package var memberCount: Int?

  @Option(
    name: [.customShort("l", allowingJoined: true), .long], help: "1, 5, 6, or ec:K+M.",
    completion: .list(["5", "6"]), transform: LevelChoice.init(parsing:))
  package var level: LevelChoice?

  @Option(
    name: [.customShort("c", allowingJoined: true), .long],
    help: ArgumentHelp("How much of a stripe is on one member.", valueName: "size"),
    transform: parsePositiveSize)
  package var chunk: Int?

  @Option(
    name: .long, help: "left-symmetric and the like; near=N or offset=N for 10.",
    completion: .list([
      "left-symmetric", "left-asymmetric", "right-symmetric", "right-asymmetric", "parity-first",
      "parity-last", "near=2", "offset=2",
    ]),
    transform: LayoutChoice.init(parsing:))
  package var layout: LayoutChoice?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Use this much of each member; max for all that there is room for.", valueName: "size"),
    transform: SizeChoice.init(parsing:))
  package var size: SizeChoice?

  @OptionGroup package var rate: RateOption
  @OptionGroup package var change: ChangeOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  /// Whether anything is to be changed, and not only gone on with.
  var wantsChange: Bool {
    !add.isEmpty || memberCount != nil || level != nil || chunk != nil || layout != nil
  }

  package func validate() throws {
    if size != nil, wantsChange {
      throw ValidationError("--size comes alone: one change after the other")
    }
    for (index, path) in add.enumerated() where add[..<index].contains(path) {
      throw ValidationError("--add names \(path) twice")
    }
    if let chunk, chunk < 4096 || chunk.nonzeroBitCount != 1 {
      throw ValidationError("a chunk is a power of two, of 4K or more")
    }
    if let memberCount, !(1...LevelChoice.maximumMemberCount).contains(memberCount) {
      throw ValidationError("an array has 1 to \(LevelChoice.maximumMemberCount) members")
    }
    guard let layout else { return }
    switch layout {
    case .parity, .near, .offset: break
    case .far, .original, .alternate:
      throw ValidationError("the layout \(layout) cannot be changed to")
    }
    if case .erasure? = level { throw ValidationError("ec has one layout: leave --layout out") }
  }

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let session = try change.open(operand, context) {
      $0.mentioned = add
      $0.reshapes = true
    }
    let work = GrowWork(session, change.write, context)
    if let size {
      return try work.resize(size.byteCount, allowsShrinking: change.write.force)
    }
    if session.array.isReshaping {
      guard isWhat(session.array.reshapeGoal) else {
        let request = try request(session.array)
        if session.array.isOnTheWay(to: request) {
          return try work.goOn(rate: rate.rate, then: request)
        }
        throw Failure(
          .usage, "a reshape of the array is under way: it has to end before another one begins",
          hint: "'ftool raid grow' without a change goes on with it")
      }
      return try work.goOn(rate: rate.rate)
    }
    if isFilling(session) { return try work.fillOn(rate: rate.rate) }
    if isDone(session) {
      return work.showUnchanged(
        "\(add.joined(separator: ", ")) is in the array already, which has this shape")
    }
    guard wantsChange else {
      throw Failure(
        .usage, "nothing to do: no reshape of the array is under way",
        hint: "say what is to change, with --add, --level, --chunk or --layout")
    }
    return try work.begin(request(session.array), adding: add, rate: rate.rate)
  }

  /// Whether what is asked for has been done, new members and all, and the command is given again.
  private func isDone(_ session: ArraySession) -> Bool {
    !add.isEmpty && isWhat(session.array.shape)
      && add.allSatisfy { path in
        if case .active? = session.member(at: path)?.standing { true } else { false }
      }
  }

  /// Whether what is asked for was cut off when nothing but new members had to be filled any more.
  private func isFilling(_ session: ArraySession) -> Bool {
    let array = session.array
    let isFilled = array.degradedSlots.contains { array.members.slots[$0].member != nil }
    return isFilled && isWhat(array.shape)
      && add.allSatisfy { path in
        if case .rebuilding? = session.member(at: path)?.standing { true } else { false }
      }
  }

  /// Whether the reshape that is under way is the one that is asked for, which was cut off, or nothing is.
  private func isWhat(_ goal: ArrayShape?) -> Bool {
    guard wantsChange else { return true }
    guard let goal, level.map({ $0.engine == goal.level }) ?? true,
      layout.map({ $0.word == goal.layout }) ?? true,
      chunk.map({ $0 == goal.chunkByteCount }) ?? true,
      memberCount.map({ $0 == goal.slotCount }) ?? true
    else { return false }
    if case .erasure(let data, let parity)? = level, data + parity != goal.slotCount {
      return false
    }
    return true
  }

  private func request(_ array: RaidArray) throws(Failure) -> ReshapeRequest {
    let isOfCopies = (level?.engine ?? array.shape.level) == .mirroredStripes
    if let layout, (layout.copyCount != nil) != isOfCopies {
      throw Failure(
        .usage, "the layout \(layout) cannot be changed to: it is of another level")
    }
    var request = ReshapeRequest()
    request.level = level?.engine
    request.chunkByteCount = chunk
    request.layout = layout?.word
    request.slotCount = memberCount
    request.allowsShrinking = change.write.force
    if memberCount == nil, !add.isEmpty { request.slotCount = array.shape.slotCount + add.count }
    if case .erasure(let data, let parity)? = level {
      guard request.slotCount ?? (data + parity) == data + parity else {
        throw Failure(
          .usage,
          "ec:\(data)+\(parity) has \(data + parity) members, and \(request.slotCount ?? 0) are wanted"
        )
      }
      request.slotCount = data + parity
    }
    return request
  }
}

/// How much of each member to use, as it is said on the command line.
package enum SizeChoice: Hashable, Sendable {
  /// As much as all of them have room for.
  case most
  case bytes(Int)

  init(parsing text: String) throws(InvalidValue) {
    self = text == "max" ? .most : .bytes(try parsePositiveSize(text))
  }

  var byteCount: Int? { if case .bytes(let count) = self { count } else { nil } }
}
