import BlockStorage
import LinuxSystem
import MDFormat
import Raid
import RaidGeometry

extension Failure {
  /// What an array could not do, as a sentence.
  package init(_ error: RaidError) {
    switch error {
    case .lost(let range, let reason): self.init(reason, range)
    case .notStartable(let obstacle): self.init(obstacle)
    case .readOnly(let obstacle): self.init(obstacle)
    case .member(let name, let cause): self.init(cause, on: "member \(name)")
    case .sumsFile(let name, let cause):
      let file = "the file of sums \(name)"
      self.init(cause, on: file)
      if case .gone = cause {
        message = "\(file) cannot be used" + (cause.errno.map { ": \($0)" } ?? "")
      }
      hint =
        "the array and its members are as good as without it: leave --sums-file out, or let "
        + "'ftool raid scrub --sums-file' make the sums anew"
    case .outOfBounds(let offset, let byteCount, let end):
      self.init(
        .usage,
        byteCount == 0
          ? "byte \(offset) is past the array's end at byte \(end)"
          : "bytes \(offset) to \(offset + byteCount) reach past the array's end at byte \(end)",
        hint: "the array has \(ByteSize(end)): choose a smaller offset or length")
    case .inputTooLong(let end):
      self.init(
        .usage, "the input is longer than the array: it ends at byte \(end)",
        hint: "what fits may have been written")
    case .noSuchMember(let name):
      self.init(
        .notFound, "\(name) is not a member of the array",
        hint: "'ftool raid status' lists the members")
    case .memberTooSmall(let name, let has, let needs):
      self.init(
        .usage, "\(name) is too small: it has \(ByteSize(has)), \(ByteSize(needs)) are needed",
        hint: "give a larger member")
    case .unsuitable(let reason): self.init(reason)
    case .interrupted: self.init(.failed, "interrupted")
    }
  }

  /// What ended a copy; `other` is what the user calls the file at the other end.
  package init(_ error: TransferError) {
    switch error {
    case .array(let error): self.init(error)
    case .other(let error): self.init(error)
    }
  }

  private init(_ reason: LossReason, _ range: Range<Int>) {
    let bytes = "bytes \(range.lowerBound) to \(range.upperBound) of the array"
    switch reason {
    case .tooManyBad(let members):
      self.init(
        .damaged,
        "\(bytes) are lost: too many members have damaged or no data there"
          + (members.isEmpty ? "" : " (\(members.joined(separator: ", ")))"),
        hint: "give members that are missing, or read around it with --offset and --length")
    case .onlyTogether(let members):
      self.init(
        .damaged,
        "\(bytes) can only be written together: more of this stripe is lost than its parity makes up for "
          + "(\(members.joined(separator: ", ")))",
        hint: "write all of them in one piece, from a backup: "
          + "'ftool raid write ARRAY --offset \(range.lowerBound)' with \(range.count) bytes of input"
      )
    case .damaged(let member, let mayBeForeign):
      self.init(
        .damaged,
        mayBeForeign
          ? "\(bytes) are damaged, or were written by someone else: they do not agree with their "
            + "sums on \(member)" : "\(bytes) are damaged on \(member), and there is no other copy",
        hint: mayBeForeign
          ? "if another system wrote to the array, 'ftool raid scrub' makes the sums agree again"
          : "restore them from a backup")
    case .unreadable(let member):
      self.init(
        .inputOutput, "\(bytes) cannot be read from \(member), and there is no other copy")
    case .inDoubt(let slot):
      self.init(
        .damaged,
        "\(bytes) are in doubt: the array was not closed properly, what slot \(slot) held is missing, "
          + "and the others may not agree on it",
        hint: "give the missing members, or take what the others say with --force")
    case .missing(let slot):
      self.init(
        .damaged, "\(bytes) are lost: the member of slot \(slot) is missing, and too few are left",
        hint: "give the missing members")
    }
  }

  private init(_ obstacle: StartObstacle) {
    switch obstacle {
    case .noMembers:
      self.init(.notFound, "no members were found", hint: "name the array's members")
    case .mixed(let one, let other):
      self.init(
        .usage, "\(one) and \(other) are members of different arrays",
        hint: "'ftool raid list' shows which belong together")
    case .contradiction(let field, let one, let other):
      self.init(
        .configuration, "the superblocks of \(one) and \(other) contradict each other: \(field)",
        hint: "compare them with 'ftool raid examine'")
    case .tooFew(let missing, let needed, let present):
      let slots = missing.map(String.init).joined(separator: ", ")
      self.init(
        .notFound,
        "too few members: \(needed) are needed, and \(present) \(present == 1 ? "is" : "are") there and "
          + "in sync; nobody holds slot \(slots)",
        hint: "give the missing members; 'ftool raid read --salvage' gets out what is still whole")
    case .unknownSizes(let missing):
      let slots = missing.map(String.init).joined(separator: ", ")
      self.init(
        .notFound,
        "the members have different sizes, and nothing tells that of the one of slot \(slots)",
        hint:
          "say all sizes: read --assume level=linear,size=10G:20G:10G,... with 'missing' in its place"
      )
    case .badShape(let error): self.init(.configuration, "the array makes no sense: \(error)")
    case .unknownLevel(let level):
      self.init(.configuration, "ftool does not know level \(level)")
    case .unsupported(let what): self.init(.configuration, what)
    case .unreadableSuperblock(let member, let error): self.init(error, on: member)
    case .lostSuperblock(let member):
      self.init(
        .configuration, "\(member) was a member of the array, and its superblock is gone",
        hint: "'ftool raid rebuild' fills it anew, with --onto \(member)")
    case .device(let member, let error): self.init(error, on: member)
    case .missingJournal:
      self.init(
        .notFound,
        "the array has a journal that was not given, and what it holds may be nowhere else",
        hint:
          "give the journal's device too, or read what the members have with --force: some of it "
          + "may be old or torn")
    case .staleJournal(let member, let events, let newest):
      self.init(
        .notFound,
        "the journal \(member) is out of date, at event \(events) of \(newest), and no other was given",
        hint:
          "give the journal that was used last, or read what the members have with --force: some "
          + "of it may be old or torn")
    case .damagedWriteJournal:
      self.init(
        .damaged,
        "the array was being written when it was cut off, and the journals of its members, which have what was written last, cannot be read",
        hint:
          "give all members; with --force what was being written is in doubt, as without a journal")
    case .damagedJournal(let member):
      self.init(
        .damaged, "the log on the journal \(member) has no beginning",
        hint: "read what the members have with --force: some of it may be old or torn")
    case .journalTooLarge(let member):
      self.init(
        .configuration,
        "the journal \(member) holds more than ftool keeps track of: over "
          + ByteSize(MDJournalReplay.usualLimit * MDJournal.blockByteCount).description,
        hint: "'mdadm --assemble' lets the kernel write it out, or read what the members have with "
          + "--force: some of it may be old or torn")
    case .damagedBadBlockLog(let member):
      self.init(.damaged, "the list of bad blocks of \(member) is damaged")
    }
  }

  /// A superblock that is none, as a sentence.
  package init(_ error: MDSuperblockError, on member: String) {
    switch error {
    case .absent:
      self.init(
        .notFound, "\(member) is not a member of an array: it has no superblock",
        hint:
          "leave it out; 'ftool raid recover' looks for arrays whose superblocks are gone")
    case .cutShort(_, let sectors, let needed):
      self.init(cutShort: member, byteCount: sectors * 512, least: needed * 512)
    default:
      self.init(
        .configuration, "the superblock of \(member) cannot be used: it \(error.sentence)",
        hint: "'ftool raid examine \(member)' shows what is there")
    }
  }

  /// A file that was a member and has lost its end.
  package init(cutShort member: String, byteCount: Int, least: Int) {
    self.init(
      .configuration,
      "\(member) is shorter than it should be: it has \(ByteSize(byteCount)) of at least "
        + "\(ByteSize(least)), so that \(ByteSize(least - byteCount)) or more are missing",
      hint: "find out who cut it short; 'ftool raid rebuild' fills a new one in its place")
  }

  private init(_ obstacle: WriteObstacle) {
    switch obstacle {
    case .openedForReading: self.init(.bug, "the array is open for reading only")
    case .reshaping:
      self.init(
        .configuration, "the array is being reshaped, and may only be read until that has ended",
        hint: "'ftool raid grow' goes on with it, or the system that began it")
    case .hasJournal:
      self.init(.configuration, "the array has a journal member, and may only be read")
    case .hasPartialParityLog:
      self.init(
        .configuration, "the array has a partial parity log, and may only be read",
        hint: "'mdadm --grow --consistency-policy=resync' takes the log away")
    case .metadata090:
      self.init(
        .configuration, "the array has superblocks of version 0.90, and may only be read",
        hint: "'mdadm --assemble --update=metadata' makes them version 1.0")
    case .clustered:
      self.init(.configuration, "the array is shared by a cluster, and may only be read")
    case .membersNotGiven(let slots):
      self.init(
        .notFound,
        "the array counts on members that were not given: slot "
          + slots.map(String.init).joined(separator: ", "),
        hint: "give them too, or say --degraded to go on without them: they fall behind then")
    case .uncleanAndDegraded:
      self.init(
        .damaged,
        "the array was not closed properly and members are missing: what was being written can't be "
          + "decided without them",
        hint: "give the missing members, or go on with --force")
    case .broken: self.init(.inputOutput, "too many members failed")
    }
  }

  private init(_ reason: Unsuitable) {
    switch reason {
    case .dataOffsetTooSmall(let member, let least):
      self.init(
        .usage,
        "the data cannot begin before byte \(least) of \(member): the metadata is in front of it")
    case .noRedundancy:
      self.init(.usage, "the array has no redundancy: its members cannot be replaced or rebuilt")
    case .foreignSumsFile(let name):
      self.init(.wouldOverwrite, "\(name) does not hold the sums of this array")
    case .damagedSumsFile(let name):
      self.init(
        .damaged, "the header of the file of sums \(name) is damaged: its checksum does not agree",
        hint: "remove it: 'ftool raid scrub --sums-file \(name)' makes it anew from the array")
    case .unknownSumsFileVersion(let name, let version):
      self.init(
        .configuration,
        "\(name) is a file of sums of version \(version), and this ftool knows version 1",
        hint: "use a newer ftool, or another file")
    case .shortSumsFile(let name, let has, let needs):
      self.init(
        .usage,
        "\(name) is too short for the array's sums: it has \(has) bytes, \(needs) are needed",
        hint: "remove it: 'ftool raid scrub --sums-file \(name)' makes it anew from the array")
    case .keepsSumsOnMembers:
      self.init(
        .usage, "the array keeps its sums on its members", hint: "leave --sums-file out")
    case .noSums: self.init(.usage, "the array keeps no sums")
    case .slotIsInUse(let slot):
      self.init(
        .usage, "slot \(slot) has a member that is in sync",
        hint: "'ftool raid replace' puts another one in its place")
    case .memberIsInUse(let name):
      self.init(
        .usage, "\(name) is in use", hint: "'ftool raid fail' takes it out of use first")
    case .noFreeSlot: self.init(.usage, "the array has no room for another member")
    case .memberIsNeeded(let name):
      self.init(
        .damaged, "the array would lose data without \(name)",
        hint: "rebuild or replace the other missing members first")
    case .memberDecidesDoubt(let name):
      self.init(
        .damaged,
        "the array was not closed properly, and what was being written can't be decided without \(name)",
        hint: "'ftool raid scrub' settles it first; --force goes on without")
    case .alreadyReplacing(let slot):
      self.init(.usage, "the member of slot \(slot) is being replaced already")
    case .reshape(let obstacle): self.init(obstacle)
    case .noRoomForBitmap(let member, let has, let needs):
      self.init(
        .usage,
        "\(member) has no room for the array's bitmap: it takes \(ByteSize(needs)), and there is room "
          + "for \(ByteSize(has))",
        hint: "give a larger member, or make the bitmap smaller with 'mdadm --grow --bitmap-chunk'")
    }
  }
}
