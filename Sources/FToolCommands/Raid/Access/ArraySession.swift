import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import Raid
import RaidGeometry

/// An array that a verb works on, from opening its members to closing it.
struct ArraySession {
  /// What a verb wants of the array.
  struct Request {
    var use = MemberFiles.Use.read
    var direct = false
    /// Members that the array counts on may stay behind.
    var allowsDegraded = false
    /// One slot whose member is not there is no surprise: it is what the verb is about.
    var expectsOneMissing = false
    /// Members that were given and are out of date are what it is about: the array may do without them.
    var bringsBack = false
    var allowsDoubt = false
    /// The array is opened although data is lost.
    var salvages = false
    /// Members that the verb names beside the array: they may be of it, although the operands do not
    /// lead to them.
    var mentioned: [String] = []
    /// A reshape that is under way may be gone on with.
    var reshapes = false
    var readPolicy = ReadPolicy.roundRobin
    var sumsFile: String?
    /// What is wrong with checksums is what the verb is about.
    var renewsSums = false
    /// Members of which not everything could be copied.
    var holes: HolesOption?
    var wait: Duration?

    init() {}
  }

  let array: RaidArray
  let members: MemberFiles
  private let sums: SumsFile?
  private let context: CommandContext
  /// Members are read and written past the page cache.
  private let isDirect: Bool

  /// Finds, opens and holds the members, assembles the array, and warns of what is not as it should be.
  init(_ operand: ArrayOperand, _ request: Request, context: CommandContext) throws(Failure) {
    self.context = context
    isDirect = request.direct
    let finder = ArrayFinder(operand, context: context)
    let found = finder.without(newcomers: request.mentioned, try finder.members(operand.array))
    let paths = found + finder.members(request.mentioned, ofArrayOf: found)
    var files = try MemberFiles(
      paths, for: request.use, direct: request.direct, wait: request.wait, context: context)
    if let holes = request.holes { try files.hide(holes) }
    members = files
    var leftOut: [StartObstacle] = []
    do throws(RaidError) {
      let assembly =
        try request.salvages
        ? Assembly(salvaging: members.devices) : Assembly(devices: members.devices)
      leftOut = assembly.leftOut
      sums = try Self.sumsFile(request, assembly)
      var options = RaidArray.Options()
      options.isWritable = request.use == .write
      options.allowsDegraded =
        request.allowsDegraded || request.expectsOneMissing && assembly.slotsNotGiven.count <= 1
        || request.bringsBack
          && assembly.slotsNotGiven.allSatisfy { assembly.left(slot: $0) != nil }
      options.allowsDoubt = request.allowsDoubt
      options.readPolicy = request.readPolicy
      options.salvages = request.salvages
      options.reshapes = request.reshapes && options.isWritable
      array = try RaidArray.open(assembly, options: options, sumsFile: sums)
    } catch {
      throw Self.failure(error, members, leftOut)
    }
    warn()
    if let sums, !sums.isTrusted, !request.renewsSums {
      context.output.warn(
        "the file of sums \(sums.name) is not complete: nothing is compared with it until "
          + "'ftool raid scrub --sums-file' has renewed it")
    }
    if !array.degradedSlots.isEmpty { warnOfBroken(finder) }
    finder.remember(
      array.assembly, name: array.name, paths: members.devices.map(\.name),
      isWhole: array.degradedSlots.isEmpty)
  }

  /// An array whose layout was said, for reading: the members are those named, in the order of their
  /// slots, and `missing` stands for one that is not there.
  init(
    assuming layout: AssumedLayout, _ operand: ArrayOperand, _ request: Request,
    context: CommandContext
  ) throws(Failure) {
    self.context = context
    isDirect = request.direct
    sums = nil
    let paths = try operand.array.map { (text) throws(Failure) in try ArrayFinder.path(text) }
    var files = try MemberFiles(
      paths, for: .read, direct: request.direct, wait: request.wait, context: context)
    if let holes = request.holes { try files.hide(holes) }
    members = files
    var opened = members.devices.makeIterator()
    array = try layout.open(
      paths.map { $0.isMissing ? nil : opened.next() }, salvages: request.salvages)
  }

  /// Closes the array and opens it anew, as its members say now; they are held all the time.
  func reopened() throws(Failure) -> ArraySession {
    try close()
    return try ArraySession(reopening: self)
  }

  private init(reopening session: ArraySession) throws(Failure) {
    (members, sums, context, isDirect) = (
      session.members, session.sums, session.context, session.isDirect
    )
    do throws(RaidError) {
      array = try RaidArray.open(
        try Assembly(devices: members.devices), options: session.array.options, sumsFile: sums)
    } catch {
      throw Failure(error)
    }
  }

  private static func sumsFile(
    _ request: Request, _ assembly: Assembly
  ) throws(RaidError) -> SumsFile? {
    guard let path = request.sumsFile else { return nil }
    if assembly.keepsSums { throw .unsuitable(.keepsSumsOnMembers) }
    let file: FileDevice
    do throws(SystemCallError) {
      if !Files.exists(path), request.use == .write {
        try Files.createSparse(
          path,
          size: SumsFile.byteCount(
            slotCount: assembly.holders.count,
            memberByteCount: SumsFile.memberByteCount(for: assembly)))
      }
      file = try FileDevice.open(
        path, access: request.use == .write ? .readWrite : .readOnly)
    } catch {
      throw .sumsFile(name: path, .gone(error.errno))
    }
    return try SumsFile(file, for: assembly)
  }

  /// Names the members that were not given by the UUIDs that the others know, and says why members that
  /// were given are of no use.
  private static func failure(
    _ error: RaidError, _ members: MemberFiles, _ leftOut: [StartObstacle]
  ) -> Failure {
    var failure = Failure(error)
    switch error {
    case .readOnly(.membersNotGiven(let slots)):
      let roster = members.devices.compactMap { try? MemberProbe($0) }.firstRoster
      let named = slots.map { slot in
        guard let roster, roster.members.indices.contains(slot), roster.members[slot] != .zero
        else {
          return "slot \(slot)"
        }
        return "slot \(slot) (member \(roster.members[slot]))"
      }
      failure.message =
        "the array counts on members that "
        + (leftOut.isEmpty ? "were not given: " : "are not there: ") + named.joined(separator: ", ")
      if let assembly = try? Assembly(devices: members.devices) {
        for slot in slots {
          guard let index = assembly.left(slot: slot) else { continue }
          let name = assembly.members[index].name
          failure.message +=
            "; \(name) was in slot \(slot), and \(assembly.standings[index].sentence)"
          let other = assembly.holders.lazy.compactMap(\.member).first.map {
            assembly.members[$0].name
          }
          let rebuild = "'ftool raid rebuild \(other ?? "ARRAY") --member \(name)'"
          failure.hint =
            assembly.reference.isReshaping
            ? "with --degraded it goes on without it; afterwards \(rebuild) brings it up to date"
            : "\(rebuild) brings it up to date"
        }
      }
    case .notStartable(.tooFew): break
    default: return failure
    }
    for reason in leftOut {
      failure.message += "; \(Failure(RaidError.notStartable(reason)).message)"
    }
    return failure
  }

  /// Says what has become of members that were known, and that nothing but their path tells of now.
  private func warnOfBroken(_ finder: ArrayFinder) {
    let given = Set(members.devices.compactMap { try? Files.realPath($0.name) })
    let known = finder.broken(
      of: array.assembly.reference.arrayID, besides: array.assembly.members)
    for (path, why) in known where !given.contains(path) { context.output.warn(why.message) }
  }

  private func warn() {
    let output = context.output
    if let reason = array.assembly.disregardedJournal {
      output.warn(
        "\(Failure(RaidError.notStartable(reason)).message): what is read may be old or torn")
    }
    for left in array.assembly.unusable {
      output.warn(
        "\(Failure(RaidError.notStartable(left.reason)).message): the array goes on without it")
    }
    for (index, standing) in array.assembly.standings.enumerated() where standing.isMissed {
      output.warn("\(array.assembly.members[index].name) is not used: \(standing.sentence)")
    }
    let missing = array.degradedSlots
    if !missing.isEmpty, array.shape.redundancy > 0 {
      let slots = missing.map(String.init).joined(separator: ", ")
      output.warn("the array is degraded: no member is in sync in slot \(slots)")
    }
    if array.foundForeignWrite {
      output.warn(
        "another system wrote to the array: its sums are stale until 'ftool raid scrub' renews them"
      )
    }
    if array.losesDataInLinux, array.wasReshapedByOthers {
      output.warn(
        "another system was reshaping the array: Linux md loses data when a reshape that leaves the "
          + "number of members is stopped, so that some of the "
          + "\(ByteSize(array.reshapedByteCount)) that it has moved may be wrong already")
    }
    if array.replayedRecordCount != nil, array.options.isWritable {
      output.warn(
        "the array was cut off while it was written: what its journal has is in its place now")
    }
    if array.hasDoubt {
      output.warn(
        "the array was not closed properly: what was being written is in doubt until "
          + "'ftool raid scrub' has settled it")
      if array.shape.level.parityCount > 0, !missing.isEmpty, array.options.allowsDoubt {
        output.warn("where it is in doubt, what is missing is computed and may be wrong")
      }
    }
  }

  /// Makes everything durable and the array clean. Spares take the places of those who have failed.
  func close() throws(Failure) {
    do throws(RaidError) {
      for (slot, spare, failed) in try array.takeSpares() {
        context.output.warn(
          "\(spare), a spare, has taken the place of \(failed) in slot \(slot): 'ftool raid rebuild' fills it"
        )
      }
      try array.close()
    } catch {
      throw Failure(error)
    }
    warnOfFindings()
    try closeSums()
  }

  /// Says what was found to be wrong with members, whether the command could do without or not.
  func warnOfFindings() {
    for failure in array.failures {
      context.output.warn(
        "\(failure.name) was taken out of use: \(Failure(failure.cause, on: failure.name).message)")
    }
    if array.blocksRestored > 0 {
      context.output.warn(
        countedPast(array.blocksRestored, "damaged or unreadable block")
          + " put together from other members"
          + (array.options.isWritable ? " and repaired" : ""))
    }
    if array.blocksUnproven > 0 {
      context.output.warn(
        countedPast(array.blocksUnproven, "block")
          + " taken as they are, since their checksums are damaged or gone and no other member can vouch for "
          + "them: 'ftool raid scrub' renews checksums")
    }
  }

  /// Says in the file of sums that they are right. What could not be kept there is the command's failure;
  /// what could not be read there has only not been compared.
  private func closeSums() throws(Failure) {
    guard let sums else { return }
    if let problem = sums.readProblem {
      context.output.warn(
        "\(Failure(problem, on: "the file of sums \(sums.name)").message): the data that it has sums for "
          + "there was not compared with them")
    }
    guard array.options.isWritable, let member = array.members.active.first else { return }
    do throws(RaidError) {
      try sums.stamp(member.superblock, isComplete: array.trustsAllSums)
    } catch {
      throw Failure(error)
    }
  }

  /// Makes a change of members, or says what it would be, and closes the array.
  ///
  /// - Parameter check: what can be refused before anything is written.
  func change(
    _ sentence: String, dryRun: Bool, type: String, member: String,
    check: (RaidArray) throws(RaidError) -> Void = { _ in },
    _ body: (RaidArray) throws(RaidError) -> Void
  ) throws(Failure) -> ExitStatus {
    if dryRun { try requireWritable() }
    do throws(RaidError) {
      try check(array)
      if !dryRun { try body(array) }
    } catch {
      let failure = Failure(error)
      try? close()  // the first error is the one to tell
      throw failure
    }
    if !dryRun { try close() }
    let text =
      dryRun ? "would have \(sentence)\nwould write \(superblocksWritten)" : sentence
    context.output.show(
      SimpleReport(
        type: type, text,
        json: [
          "array": .string(array.name), "member": .string(member), "dry_run": .bool(dryRun),
          "changed": .bool(!dryRun),
        ]))
    return .done
  }

  /// Ends a change of members that has been made before: who asks twice gets what was asked for.
  func leaveUnchanged(
    _ sentence: String, dryRun: Bool, type: String, member: String
  ) throws(Failure) -> ExitStatus {
    try close()
    context.output.show(
      SimpleReport(
        type: type, "\(sentence); nothing was changed",
        json: [
          "array": .string(array.name), "member": .string(member), "dry_run": .bool(dryRun),
          "changed": .bool(false),
        ]))
    return .done
  }

  /// Makes a member that has left for good a plain device. The array has made its change: what fails here
  /// is only worth a warning.
  func release(_ device: any BlockDevice) {
    let reason: Failure
    do throws(RaidError) {
      let probe = try MemberProbe(device)
      do throws(DeviceError) {
        return try probe.eraseSuperblock()
      } catch {
        reason = Failure(error, on: device.name)
      }
    } catch {
      reason = Failure(error)
    }
    context.output.warn(
      "\(device.name) could not be told that it is no member any more: \(reason.message)")
  }

  /// What any change of the array writes: `the superblocks of a.img, b.img`.
  var superblocksWritten: String {
    let names = array.members.active.map(\.name) + array.members.spares.map(\.name)
    return "the superblocks of \(names.joined(separator: ", "))"
  }

  /// Refuses what writing would refuse, for who only says what would be done.
  func requireWritable() throws(Failure) {
    if let obstacle = array.obstacle, obstacle != .openedForReading {
      throw Self.failure(.readOnly(obstacle), members, array.assembly.leftOut)
    }
  }

  /// The options of a long operation: progress, rate and the signals.
  func sweep(_ line: ProgressLine, rate: Int?) -> SweepOptions {
    var options = SweepOptions()
    if isDirect { options.workers = SweepOptions.directWorkers(slotCount: array.shape.slotCount) }
    let stop = context.stop
    options.rate = rate.map { RateLimit(bytesPerSecond: $0) { stop.signal == nil } }
    options.progress = { done, _ in
      line.update(done: done)
      return stop.signal == nil
    }
    return options
  }
}

extension Assembly.Standing {
  /// Why a member is not used, or as what it is.
  package var sentence: String {
    switch self {
    case .active(let slot): "in sync in slot \(slot)"
    case .rebuilding(let slot, _): "being rebuilt in slot \(slot)"
    case .replacement(let slot, _): "replacing the member of slot \(slot)"
    case .spare: "a spare"
    case .journal: "the journal"
    case .failed: "the array calls it failed"
    case .stale(let events, let newest): "it is out of date, at event \(events) of \(newest)"
    case .split: "it went its own way while the others went on without it"
    case .duplicate: "another member has its place"
    case .former(let slot): "another member has taken its place in slot \(slot)"
    case .unusable(let reason): Failure(RaidError.notStartable(reason)).message
    }
  }
}

extension Assembly {
  /// A member that was given, was in this slot, and is out of date.
  func left(slot: Int) -> Int? {
    members.indices.first { index in
      guard case .stale = standings[index] else { return false }
      return members[index].superblock.role == .slot(slot)
    }
  }

  /// Members that may have been used without those that the array is made of now.
  var namesGoneAlone: [String] {
    members.indices.filter { standings[$0] == .split }.map { members[$0].name }
  }

  /// Why devices that were given are of no use, whether or not they say what they were.
  var leftOut: [StartObstacle] {
    unusable.map(\.reason)
      + standings.compactMap { if case .unusable(let reason) = $0 { reason } else { nil } }
  }
}

extension ArraySession {
  /// Refuses to write over a device that has been in a slot of the array, and may be the last to have what the array
  /// has lost since.
  func requireNoLastCopy(_ device: any BlockDevice) throws(Failure) {
    let lost = array.listedLossByteCount
    let id = array.assembly.reference.arrayID
    guard lost > 0 else { return }
    if let superblock = (try? MemberProbe(device))?.superblock {
      guard superblock.arrayID == id, case .slot = superblock.role else { return }
    } else {
      guard (try? MetadataErasure.formerArray(of: device)) == id else { return }
    }
    throw Failure(
      .wouldOverwrite,
      "\(ByteSize(lost)) of the array are lost, and \(device.name), which has been a member, may be the last to have "
        + "them as they were",
      hint:
        "'ftool raid read --salvage --force' gets out what it has, and --onto fills another one in its place; "
        + "--force gives it up")
  }
}
