import BinaryCodec
import LinuxSystem

/// epoll(7): a set of open files to wait for.
///
/// The kernel knows each by the file and the number that it had when it was added, and keeps it when the
/// number is closed and the file is open elsewhere. So entries are added in a process of the tree, where
/// numbers are free as long as its own descriptors are not in their places.
enum EventPoll: DescriptorKind {
  static let name = "epoll"

  struct Detail: FieldCoded, Equatable {
    var entries: [Entry] = []
    /// `struct epoll_params`: how long it asks devices itself instead of waiting.
    var polling: [UInt8] = []

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &entries)
      try coder.field(2, &polling)
      guard polling.isEmpty || polling.count == 8 else { throw .outOfRange(2) }
    }
  }

  struct Entry: FieldCoded, Equatable {
    /// Which process adds it: one that has the set.
    var process: Int32 = 0
    /// The description that it waits for, and the number that it had when it was added.
    var description: UInt32 = 0
    var number: Int32 = 0
    /// EPOLLIN and so on, and what is given back with them.
    var events: UInt32 = 0
    var data: UInt64 = 0
    /// The set itself.
    var set: UInt32 = 0

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &process)
      try coder.field(2, &description)
      try coder.field(3, &number)
      try coder.field(4, &events)
      try coder.field(5, &data)
      try coder.field(6, &set)
    }

    /// Reported once (EPOLLONESHOT) and silent since.
    var isSpent: Bool { events & 0x4000_0000 != 0 && events & 0x0fff_ffff == 0 }
  }

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    seen.info.link == "anon_inode:[eventpoll]"
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] { Detail().encoded() }

  /// Finds out which files the entries stand for.
  static func settle(_ tree: TreeCapture) throws(CheckpointError) {
    let holders = tree.holders
    let byNumber = Dictionary(grouping: holders, by: \.number)
    for set in tree.descriptions(of: EventPoll.self) {
      let owners = Set(holders.filter { $0.description == set.index }.map(\.process))
      try tree.noting { () throws(CheckpointError) in
        var detail = Detail()
        detail.polling = polling(of: set.seen.copy)
        var met: [Int32: Int32] = [:]
        for line in set.seen.info.lines where line.key == "tfd" {
          guard let listed = Listed(line.value) else {
            throw set.seen.obstacle("this kernel describes its entries in another way")
          }
          let occurrence = met[listed.number, default: 0]
          met[listed.number] = occurrence + 1
          // Mostly it still has the number under which it was added.
          let likely = (byNumber[listed.number] ?? []).filter { owners.contains($0.process) }
          var found = try entry(
            listed, occurrence, ofSet: set.index, set.seen, likely, owners, tree)
          if found == nil {
            found = try entry(listed, occurrence, ofSet: set.index, set.seen, holders, owners, tree)
          }
          if let found {
            detail.entries.append(found)
          } else if !tree.refused.contains(listed.inode) {
            throw set.seen.obstacle(
              "it waits for a file that was added as descriptor \(listed.number), and no process of the tree"
                + " has that open any more",
              remedy: "save the process that has it open, too")
          }
        }
        tree.replace(set.index, kind: EventPoll.self, detail: detail.encoded())
      }
    }
  }

  /// Empty where it was not set, or can't be (Linux 6.9).
  private static func polling(of set: borrowing OwnedDescriptor) -> [UInt8] {
    var parameters = [UInt8](repeating: 0, count: 8)
    guard (try? set.request("ioctl(EPIOCGPARAMS)", 0x8008_8a02, &parameters)) != nil,
      parameters.contains(where: { $0 != 0 })
    else { return [] }
    return parameters
  }

  /// nil if none of the holders has what it stands for.
  private static func entry(
    _ listed: Listed, _ occurrence: Int32, ofSet index: Int, _ seen: SeenDescriptor,
    _ holders: [(process: ProcessID, number: Int32, description: Int)], _ owners: Set<ProcessID>,
    _ tree: TreeCapture
  ) throws(CheckpointError) -> Entry? {
    let candidates = holders.filter { tree.seen[$0.description].details.inode == listed.inode }
    // Those that are where it was added come first.
    func rank(_ number: Int32, _ process: ProcessID) -> Int {
      (owners.contains(process) ? 0 : 1) + (number == listed.number ? 0 : 2)
    }
    let ordered = candidates.sorted { rank($0.number, $0.process) < rank($1.number, $1.process) }
    for candidate in ordered {
      let isIt = try about(seen.process) { () throws(SystemCallError) in
        try candidate.process.holds(
          candidate.number, asEntry: listed.number, occurrence: occurrence,
          ofSet: seen.info.number, in: seen.process)
      }
      guard isIt else { continue }
      var entry = Entry()
      let adder = owners.contains(candidate.process) ? candidate.process : seen.process
      entry.process = tree.numbers.number(adder.number)
      entry.description = UInt32(candidate.description)
      entry.number = listed.number
      entry.events = listed.events
      entry.data = listed.data
      entry.set = UInt32(index)
      return entry
    }
    return nil
  }

  /// `19 events: 1 data: 1122 pos:0 ino:3f sdev:9`; all but the first and pos in hexadecimal.
  private struct Listed {
    var number: Int32 = 0
    var events: UInt32 = 0
    var data: UInt64 = 0
    var inode: UInt64 = 0

    init?(_ text: String) {
      let words = text.split { $0 == " " || $0 == ":" }
      guard words.count >= 9, words[1] == "events", words[3] == "data", words[7] == "ino",
        let number = Int32(words[0]), let events = UInt32(words[2], radix: 16),
        let data = UInt64(words[4], radix: 16), let inode = UInt64(words[8], radix: 16)
      else { return nil }
      (self.number, self.events, self.data, self.inode) = (number, events, data, inode)
    }
  }

  // MARK: Back

  static func numberLimit(
    _ detail: [UInt8], _ restoration: Restoration
  ) throws(CheckpointError) -> Int32 {
    try restoration.decode(Detail.self, detail).entries.map(\.number).max() ?? 0
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    var detail = try restoration.decode(Detail.self, state.detail)
    return try about(nil) { () throws(SystemCallError) in
      let set = try OwnedDescriptor.eventPoll()
      if !detail.polling.isEmpty {
        try set.request("ioctl(EPIOCSPARAMS)", 0x4008_8a01, &detail.polling)
      }
      return set
    }
  }

  /// Spent entries first, as they have to be spent again: that takes an event, which must be theirs.
  static func prepare(
    _ state: DescriptionState, in builder: ProcessBuilder
  ) throws(CheckpointError) {
    let entries = try builder.restoration.decode(Detail.self, state.detail).entries
      .filter { $0.process == builder.state.id }
    for entry in entries.filter(\.isSpent) + entries.filter({ !$0.isSpent }) {
      guard let set = try builder.present(entry.set),
        let file = try builder.present(entry.description, as: entry.number), entry.number >= 0
      else { throw .inconsistent(.unknownDescription) }
      try builder.add(entry, file: file, to: set)
    }
  }
}

extension ProcessBuilder {
  fileprivate func add(
    _ entry: EventPoll.Entry, file: UInt64, to set: UInt64
  ) throws(CheckpointError) {
    let number = UInt64(UInt32(bitPattern: entry.number))
    try call(.dup3, "dup3", file, number, Self.closeOnExec)
    // Anything that may be there already will do to spend it.
    let events = entry.isSpent ? entry.events | 0x5 : entry.events
    let event = try put(events.littleEndianBytes + entry.data.littleEndianBytes)
    let isOutside = restoration.description(entry.description)?.kind == ExternalFile.name
    let result = try inside(id) { () throws(InjectionError) in
      try injector.callForResult(.epollCtl, [set, 1, number, event])  // EPOLL_CTL_ADD
    }
    if result < 0, isOutside {
      // A file or null in its place is always ready, and can't be waited for.
      restoration.warn(
        state.id, "descriptor \(entry.number) in an epoll set", "what it is now can't be waited for"
      )
      return try call(.close, "close", number)
    }
    if result < 0 { try call(.epollCtl, "epoll_ctl", set, 1, number, event) }
    if entry.isSpent {
      let count = try inside(id) { () throws(InjectionError) in
        try injector.callForResult(.epollWait, [set, injector.argumentAddress, 1, 0])
      }
      if count != 1 {
        // Silent but for what epoll always tells.
        let silent = try put((entry.events & ~0x5).littleEndianBytes + entry.data.littleEndianBytes)
        try call(.epollCtl, "epoll_ctl", set, 3, number, silent)  // EPOLL_CTL_MOD
        restoration.warn(
          state.id, "descriptor \(entry.number) in an epoll set",
          "had reported its one event, and may report an error or an end as another")
      }
    }
    try call(.close, "close", number)
  }
}

extension EventPoll {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    guard let detail = try? Detail(decoding: state.detail[...]) else { return nil }
    let numbers = detail.entries.map(\.number).sorted().map { "\($0)" }
    return numbers.isEmpty
      ? "waits for nothing" : "waits for descriptors \(numbers.joined(separator: ", "))"
  }
}
