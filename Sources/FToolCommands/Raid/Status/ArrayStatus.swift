import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import Raid
import RaidGeometry

/// How an array is, as far as its members tell without being held or changed: also when they are too
/// few to start it, and while another program works on it.
struct ArrayStatus: Sendable {
  /// The worst that is to be said of it.
  enum Condition: String, Sendable {
    /// All members are in sync, and agree.
    case healthy
    /// Nothing is missing, but a crash left parts whose parity or copies may not agree.
    case inDoubt = "in-doubt"
    /// Members are missing, and all data is there.
    case degraded
    /// The same, and what is missing is being made good.
    case rebuilding
    /// Parts of the data are on none of the members that are there.
    case incomplete
    /// The last scrub left blocks that are wrong or lost, or members list as bad what nobody else has.
    case damaged
    /// Too few members are there, or they make no sense together.
    case notStartable = "not-startable"
  }

  /// Whether the sums prove anything.
  enum Sums: String, Sendable { case valid, stale, none }

  /// Who else uses the members now.
  struct Use: Equatable, Sendable {
    /// A running ftool holds them to write.
    var isWritten = false
    /// A running ftool holds them to read.
    var isRead = false
    /// What the kernel does with a member, as a sentence.
    var byKernel: String?
  }

  let name: String
  /// The newest superblock.
  let reference: MDSuperblock
  /// nil where too little is there to know it.
  let shape: ArrayShape?
  /// nil where it is not known.
  let byteCount: Int?
  let condition: Condition
  /// Why it can't be started.
  let obstacle: Failure?
  /// Why it may only be read, whoever asks.
  let readOnlyReason: String?
  let isUnclean: Bool
  /// What is written goes through a journal.
  let isJournaled: Bool
  /// The journal has what was being written when somebody was interrupted.
  let hasJournalToReplay: Bool
  /// How many more members may be lost, whichever they are; nil where it can't be started.
  let lossesLeft: Int?
  let sums: Sums
  /// What there is to say about the sums beside that word.
  let sumsRemark: String?
  /// Members that keep none although others do.
  let membersLackingSums: [String]
  let use: Use
  /// What is marked as being written; nil where nothing is kept of that, or it is not known.
  let marks: RaidArray.Marks?
  let operation: Operation?
  let rows: [Row]
  /// Found on all members together, since the array was made.
  let counters: IntegrityCounters?
  /// Its history, oldest first; none where that was not looked at.
  let events: [ArrayEvent]

  /// Array bytes that members' lists of bad blocks say are lost.
  let lostByteCount: Int
  /// Slots whose members the array counts on although they are not there.
  let slotsNotGiven: [Int]
  /// Nobody waits for the members of these: they were replaced, and one that is there says so.
  let areNotGivenAllLeft: Bool

  /// Where the missing members were when the array was last used, if that is known: places where nothing is now, of
  /// which some may have been members' that nobody misses.
  let absentPaths: [String]

  /// The last few events that somebody should know of.
  var recentEvents: [ArrayEvent] { events.filter { EventSentence($0).matters }.suffix(4) }

  /// Slots that nobody in sync has.
  var degradedSlots: [Int] {
    let good = Set(rows.compactMap { $0.state == .inSync ? $0.slot : nil })
    return (0..<slotCount).filter { !good.contains($0) }
  }

  var slotCount: Int { max(reference.slotCount, reference.previousSlotCount) }

  /// What `status --test` ends with.
  var exitStatus: ExitStatus {
    switch condition {
    case .healthy: .done
    case .inDoubt, .degraded, .rebuilding: .degraded
    case .incomplete, .damaged, .notStartable: .unrepaired
    }
  }
}

// MARK: - Looking

extension ArrayStatus {
  /// What was found at the paths.
  private struct Found {
    var probes: [MemberProbe] = []
    /// Paths that lead to no member, and why.
    var unusable: [(path: String, why: Failure)] = []
    var use = Use()
    var events: [ArrayEvent] = []
    /// Paths that were members' when the array was last used, and lead nowhere now.
    var absent: [String] = []
  }

  /// Looks at the members at these paths, which the finder found: at least one of them must be one.
  init(
    members paths: [MemberPath], _ finder: ArrayFinder, sumsFile: String? = nil,
    context: CommandContext
  ) throws(Failure) {
    var triesLeft = 5
    while true {
      var found = try Self.look(at: paths, context)
      let assembly: Assembly
      do throws(RaidError) { assembly = try Assembly(found.probes) } catch { throw Failure(error) }
      // Who reads while another writes may meet members on both sides of an update.
      let isBetween = assembly.standings.contains { $0.isMissed } || !found.unusable.isEmpty
      triesLeft -= 1
      if found.use.isWritten, isBetween, triesLeft > 0 {
        Machine.sleep(seconds: 0.03)
        continue
      }
      if !assembly.slotsNotInSync.isEmpty {
        found.unusable += Self.broken(assembly, besides: paths, finder)
        found.absent = finder.absent(of: assembly.reference.arrayID)
      }
      self.init(assembly, found, sumsFile: sumsFile)
      return
    }
  }

  /// What has become of members that were known, and of which nothing but their path tells now.
  private static func broken(
    _ assembly: Assembly, besides paths: [MemberPath], _ finder: ArrayFinder
  ) -> [(path: String, why: Failure)] {
    let given = Set(paths.compactMap { try? Files.realPath($0.path) })
    return finder.broken(of: assembly.reference.arrayID, besides: assembly.members)
      .filter { !given.contains($0.path) }
  }

  /// What members that were found already say, without asking who uses them.
  init(probes: [MemberProbe]) throws(RaidError) {
    self.init(
      try Assembly(probes),
      Found(probes: probes, use: Self.use(of: probes.map(\.device), asksKernel: false)),
      sumsFile: nil)
  }

  private static func look(
    at paths: [MemberPath], _ context: CommandContext
  ) throws(Failure) -> Found {
    var found = Found()
    var there: [MemberPath] = []
    for path in paths where !path.isMissing {
      do throws(Failure) {
        _ = try MemberFiles([path], for: .look, context: context)
        there.append(path)
      } catch {
        found.unusable.append((path.text, error))
      }
    }
    let files = try MemberFiles(there, for: .look, context: context)
    for device in files.devices {
      do throws(RaidError) {
        found.probes.append(try MemberProbe(device))
      } catch {
        found.unusable.append((device.name, Failure(error)))
      }
    }
    if found.probes.isEmpty {
      throw found.unusable.first?.why ?? Failure(.notFound, "no members were found")
    }
    found.use = use(of: files.devices, asksKernel: true)
    found.events = found.probes.events
    return found
  }

  private static func use(of devices: [any BlockDevice], asksKernel: Bool) -> Use {
    var use = Use()
    for device in devices {
      guard let (file, range) = MemberFiles.file(of: device), !range.isEmpty else { continue }
      // What can't be asked is taken for unused: this is for messages, not for decisions.
      if let holder = try? file.lockHolder(against: .exclusive, range: range) {
        if holder.mode == .exclusive { use.isWritten = true } else { use.isRead = true }
      }
      if asksKernel, use.byKernel == nil, let other = try? DeviceUse.find(file.name) {
        use.byKernel = "\(device.name): \(other.sentence)"
      }
    }
    return use
  }

  private init(_ assembly: Assembly, _ found: Found, sumsFile: String?) {
    let reference = assembly.reference
    self.reference = reference
    name = reference.name.isEmpty ? "(no name)" : reference.name
    use = found.use
    events = found.events
    let file = sumsFile.flatMap { Self.openSums($0, assembly) }
    var array: RaidArray?
    var obstacle: Failure?
    do throws(RaidError) {
      var options = RaidArray.Options()
      options.isWrittenElsewhere = found.use.isWritten
      array = try RaidArray.open(assembly, options: options, sumsFile: try? file?.get())
    } catch {
      obstacle = Failure(error)
    }
    self.obstacle = obstacle
    readOnlyReason = array?.obstacle.flatMap(Self.reason)
    shape = array?.shape ?? Self.shape(of: reference)
    byteCount = array?.byteCount ?? shape?.byteCount
    let rows = Self.rows(assembly, unusable: found.unusable)
    self.rows = rows
    let missing = rows.count { $0.state == .missing }
    absentPaths = missing > 0 && found.absent.count >= missing ? found.absent : []
    slotsNotGiven = assembly.slotsNotGiven
    areNotGivenAllLeft = assembly.slotsNotGiven.allSatisfy { assembly.left(slot: $0) != nil }
    counters = Self.counters(rows)
    let slotCount = max(reference.slotCount, reference.previousSlotCount)
    let present = (0..<slotCount).map { slot in
      rows.contains { $0.slot == slot && $0.state == .inSync }
    }
    marks = array?.marks
    var lossesLeft = array == nil ? nil : shape.map { $0.lossesLeft(present: present) }
    if let goal = array?.reshapeGoal {
      // Who is being filled has all that has been moved.
      let moved = (0..<slotCount).map { slot in
        present[slot] || rows.contains { $0.slot == slot && $0.state == .rebuilding }
      }
      lossesLeft = min(lossesLeft ?? 0, goal.lossesLeft(present: moved))
    }
    self.lossesLeft = lossesLeft
    let lost = array?.listedLossByteCount ?? 0
    lostByteCount = lost
    isUnclean = (array?.wasUnclean ?? !reference.isClean) && !found.use.isWritten
    isJournaled = assembly.isJournaled
    hasJournalToReplay = array?.replayedRecordCount != nil
    operation = Operation(
      rows, assembly: assembly, isWritten: found.use.isWritten,
      total: array?.reshapeGoal?.byteCount ?? array?.memberByteCountInUse)
    condition =
      if array == nil {
        .notStartable
      } else if lossesLeft ?? 0 < 0 {
        .incomplete
      } else if lost > 0 || counters?.unrepairedBlocks ?? 0 > 0 {
        .damaged
      } else if present.contains(false) {
        operation?.isRunning == true && operation?.isRecovery == true ? .rebuilding : .degraded
      } else if isUnclean {
        .inDoubt
      } else {
        .healthy
      }
    (sums, sumsRemark) = Self.sums(assembly, array, file)
    membersLackingSums = array?.membersLackingSums ?? []
  }

  private static func reason(_ obstacle: WriteObstacle) -> String? {
    switch obstacle {
    case .openedForReading, .membersNotGiven, .uncleanAndDegraded, .broken: nil
    case .reshaping, .hasJournal, .hasPartialParityLog, .metadata090, .clustered:
      Failure(RaidError.readOnly(obstacle)).message
    }
  }

  private static func openSums(_ path: String, _ assembly: Assembly) -> Result<SumsFile, Failure> {
    let device: FileDevice
    do throws(SystemCallError) {
      device = try FileDevice.open(path, access: .readOnly)
    } catch {
      return .failure(Failure(error))
    }
    do throws(RaidError) {
      return .success(try SumsFile(device, for: assembly))
    } catch {
      return .failure(Failure(error))
    }
  }

  /// The shape of an array that can't be started, where one superblock is enough to know it.
  private static func shape(of superblock: MDSuperblock) -> ArrayShape? {
    guard !superblock.isReshaping,
      let level = RaidLevel(number: superblock.level, layout: superblock.layout),
      !level.usesWholeMembers
    else { return nil }
    return try? ArrayShape(
      level: level, layout: superblock.layout,
      chunkByteCount: Int(superblock.chunkSectors) * 512, slotCount: superblock.slotCount,
      memberByteCounts: [Int](
        repeating: Int(clamping: superblock.sizeSectors) * 512, count: superblock.slotCount))
  }

  private static func counters(_ rows: [Row]) -> IntegrityCounters? {
    let all = rows.compactMap { $0.isUsed ? $0.counters : nil }
    guard var sum = all.first else { return nil }
    for counters in all.dropFirst() {
      sum.damagedBlocks &+= counters.damagedBlocks
      sum.unreadableBlocks &+= counters.unreadableBlocks
      sum.repairedBlocks &+= counters.repairedBlocks
      sum.renewedSums &+= counters.renewedSums
      // These two are the array's, and on every member the same.
      sum.unrepairedBlocks = max(sum.unrepairedBlocks, counters.unrepairedBlocks)
      sum.lastScrubAt = max(sum.lastScrubAt, counters.lastScrubAt)
    }
    return sum
  }

  private static func sums(
    _ assembly: Assembly, _ array: RaidArray?, _ file: Result<SumsFile, Failure>?
  ) -> (Sums, String?) {
    switch file {
    case .success(let file)?: return (file.isTrusted ? .valid : .stale, "in \(file.name)")
    case .failure(let failure)?: return (.none, failure.message)
    case nil: break
    }
    let inSlots = assembly.members.indices.filter { index in
      switch assembly.standings[index] {
      case .active, .rebuilding, .replacement: true
      case .spare, .journal, .failed, .stale, .split, .duplicate, .former, .unusable: false
      }
    }.map { assembly.members[$0] }
    let with = inSlots.filter { $0.header?.range(of: .sums) != nil }
    let damaged = inSlots.first { $0.headerProblem != nil && $0.header == nil }
    if with.isEmpty {
      return (.none, damaged.map { "what \($0.name) says of them is damaged" })
    }
    let remark =
      with.count < inSlots.count ? "on \(with.count) of \(inSlots.count) members" : nil
    let isStale = array?.foundForeignWrite ?? with.contains { !$0.hasTrustedSums }
    if isStale { return (.stale, "another system wrote to the array since") }
    return (.valid, remark)
  }
}

extension ArrayShape {
  /// How many more members may be lost, whichever they are, when these are there; negative when too
  /// many are lost already.
  func lossesLeft(present: [Bool]) -> Int {
    let missing = present.prefix(slotCount).count { !$0 }
    guard level == .mirroredStripes, case .copies(let copies) = placement else {
      return redundancy - missing
    }
    // Copies' places repeat after as many chunks as there are slots: the chunk with the fewest counts.
    var least = copies.copyCount
    var places: [CopyPlacement.Place] = []
    var offset = 0
    var chunks = 0
    while offset < copies.byteCount, chunks <= slotCount {
      offset += copies.locate(offset, into: &places)
      least = min(least, places.count { present[$0.slot] })
      chunks += 1
    }
    return least - 1
  }
}
