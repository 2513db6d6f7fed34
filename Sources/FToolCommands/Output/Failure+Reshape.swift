import MDFormat
import Raid
import RaidGeometry

extension Failure {
  /// Why an array can't be given another shape, and what to do.
  init(_ obstacle: ReshapeObstacle) {
    switch obstacle {
    case .nothingToChange: self.init(.usage, "the array has this shape already")
    case .levels(let from, let to):
      self.init(
        .usage,
        from == to
          ? "\(from) cannot be changed like that" : "\(from) cannot be made into \(to)",
        hint:
          "what can be: more or fewer members for 4, 5, 6 and ec, more for 1 and 10; 5 into 6 and back; 0 and 4 into "
          + "5; 1 of two members into 5 and back; another chunk for 4, 5, 6 and 10, another layout for 5, 6 and 10"
      )
    case .badShape(let error): self.init(.usage, "there is no such array: \(error.sentence)")
    case .oneLayout(let level):
      self.init(.usage, "\(level) has one layout", hint: "leave --layout out")
    case .noChunks(let level):
      self.init(.usage, "\(level) has no chunks", hint: "leave --chunk out")
    case .layoutAfterwards(let from, let to):
      self.init(
        .usage, "\(from) cannot be made into \(to) of that layout",
        hint: "change the level first, and the layout when that is done")
    case .shrinks(let from, let to):
      self.init(
        .usage,
        "the array would have \(ByteSize(from - to)) less than its \(ByteSize(from)): its end would be lost",
        hint:
          "with fewer members --force does that, once what is on the array has been made smaller; with another "
          + "chunk, choose one of which the members have a whole number")
    case .farCopies:
      self.init(
        .usage,
        "an array with far copies cannot be given another shape, nor another array far copies",
        hint: "between near and offset copies it can be changed")
    case .copyCount(let from, let to):
      self.init(
        .usage, "the array has \(from) copies of everything, and cannot be made to have \(to)",
        hint: "with as many copies, near can be changed into offset, and back")
    case .fewerMembers(let level):
      self.init(.usage, "\(level) cannot be made to have fewer members")
    case .unequalMembers:
      self.init(
        .usage, "the members of the array are of different sizes, and a parity needs equal ones")
    case .fixedSize(let level):
      self.init(.usage, "how much of its members \(level) uses cannot be changed")
    case .noRoomToGrow(let member, let has, let needs):
      self.init(
        .usage,
        "\(member) has room for \(has) bytes of data, and \(needs) are needed",
        hint: "every member has to be larger: 'ftool raid replace' swaps one for a larger one")
    case .newMembers(let needed, let given):
      self.init(
        .usage, "\(needed) new members are needed, and \(given) are there",
        hint: "give them with --add")
    case .degraded(let slots):
      self.init(
        .notFound,
        "the array is degraded: nobody is in sync in slot "
          + slots.map(String.init).joined(separator: ", "),
        hint: "'ftool raid rebuild' fills it first")
    case .inDoubt:
      self.init(
        .damaged, "the array was not closed properly, and something of it is in doubt",
        hint: "'ftool raid scrub' settles it first")
    case .badBlocks(let member):
      self.init(
        .damaged, "\(member) has blocks that are known to be bad",
        hint:
          "'ftool raid scrub' rewrites them first, or 'ftool raid replace' puts another in its place"
      )
    case .noHeadroom(let member, let has, let needs):
      self.init(
        .configuration,
        "the data of \(member) has \(ByteSize(max(0, has))) of room to move, or to go by way of, and needs \(ByteSize(needs))",
        hint:
          "the larger of the present chunk and the new one counts: a smaller --chunk helps where it is the new one"
      )
    case .metadata(let version):
      self.init(
        .configuration,
        "metadata \(version.rawValue) cannot say all that a reshape needs",
        hint: "'mdadm --assemble --update=metadata' makes it 1.0, which can")
    case .tooLittle(let size, let needs):
      self.init(
        .usage, "with \(ByteSize(size)) of each member nothing would be left of the array",
        hint: "--size is \(ByteSize(needs)) or more; 12M are 12 MiB, and 12 are 12 bytes")
    case .sumsBeside:
      self.init(
        .usage, "the array keeps its sums in a file of their own", hint: "leave --sums-file out")
    case .foreignKind(let what):
      self.init(
        .configuration, "the reshape that is under way cannot be gone on with: \(what)",
        hint: "let the system that began it finish it")
    case .foreignPlace(let offset):
      self.init(
        .configuration,
        "the reshape that is under way stands at byte \(offset), inside a row, with too little room to go on from "
          + "there",
        hint: "let the system that began it go on with it")
    case .underWay:
      self.init(
        .usage, "a reshape of the array is under way",
        hint: "'ftool raid grow' without a change goes on with it")
    case .notUnderWay: self.init(.usage, "no reshape of the array is under way")
    }
  }
}

extension ArrayShapeError {
  fileprivate var sentence: String {
    switch self {
    case .slotCount(let count): "it cannot have \(count) members"
    case .chunk(let count): "it cannot have chunks of \(ByteSize(count))"
    case .layout(let word): "the level has no layout \(word)"
    case .memberSize: "the members are of impossible sizes"
    case .zoneOrderUnknown: "the order of its zones is not known"
    }
  }
}
