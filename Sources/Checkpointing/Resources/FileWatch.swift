import BinaryCodec
import LinuxSystem

/// inotify(7): watches on files, under the numbers that the program knows.
enum FileWatch: DescriptorKind {
  static let name = "inotify"

  struct Detail: FieldCoded, Equatable {
    var watches: [Watch] = []

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &watches)
    }
  }

  struct Watch: FieldCoded, Equatable {
    var number: Int32 = 0
    /// IN_ACCESS and so on.
    var events: UInt32 = 0
    var path = ""

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &number)
      try coder.field(2, &events)
      try coder.field(3, &path)
    }
  }

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    seen.info.link == "anon_inode:inotify"
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    let waiting = try about(seen.process) { () throws(SystemCallError) in
      try seen.copy.readyEvents(1) & 1 != 0
    }
    if waiting {
      throw seen.passingObstacle("it has events that nobody has read")
    }
    var detail = Detail()
    for line in seen.info.lines where line.key == "inotify wd" {
      guard let listed = Listed(line.value) else {
        throw seen.obstacle("this kernel describes its watches in another way")
      }
      guard let path = path(of: listed, seen.process) else {
        // open_by_handle_at(2) wants CAP_DAC_READ_SEARCH.
        throw Machine.userID == 0
          ? seen.obstacle("what its watch \(listed.number) watches can't be found any more")
          : seen.obstacle(
            "what its watch \(listed.number) watches is not found without privileges",
            remedy: "run ftool as root")
      }
      var watch = Watch()
      (watch.number, watch.events, watch.path) = (listed.number, listed.events, path)
      detail.watches.append(watch)
    }
    return detail.encoded()
  }

  /// `inotify wd:3 ino:9e7e sdev:800013 mask:800afce ignored_mask:0 fhandle-bytes:8 fhandle-type:1
  /// f_handle:7e9e0000640d1b6d`; all but the first in hexadecimal.
  private struct Listed {
    var number: Int32 = 0
    var inode: UInt64 = 0
    var device: UInt32 = 0
    var events: UInt32 = 0
    var handleType: Int32 = 0
    var handle: [UInt8] = []

    init?(_ text: String) {
      var values: [Substring: Substring] = [:]
      let words = text.split(separator: " ")
      guard let first = words.first, let number = Int32(first, radix: 16) else { return nil }
      for word in words.dropFirst() {
        guard let colon = word.firstIndex(of: ":") else { return nil }
        values[word[..<colon]] = word[word.index(after: colon)...]
      }
      guard let inode = values["ino"].flatMap({ UInt64($0, radix: 16) }),
        let device = values["sdev"].flatMap({ UInt32($0, radix: 16) }),
        let events = values["mask"].flatMap({ UInt32($0, radix: 16) })
      else { return nil }
      (self.number, self.inode, self.device, self.events) = (number, inode, device, events)
      handleType = values["fhandle-type"].flatMap { Int32($0, radix: 16) } ?? 0
      var rest = values["f_handle"] ?? ""
      while rest.count >= 2 {
        handle.append(UInt8(rest.prefix(2), radix: 16) ?? 0)
        rest = rest.dropFirst(2)
      }
    }
  }

  /// By its handle, on the mounts of its filesystem; else among the places where the process is.
  private static func path(of listed: Listed, _ process: ProcessID) -> String? {
    let device = "\(listed.device >> 20):\(listed.device & 0xfffff)"
    let mounts = (try? Files.contents(of: "\(process.folder)/mountinfo")) ?? []
    for line in String(pathBytes: mounts).split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count > 4, fields[2] == device, !listed.handle.isEmpty,
        let mount = try? OwnedDescriptor.open(String(fields[4]), flags: 0),
        let file = try? mount.openHandle(type: listed.handleType, listed.handle),
        let path = try? file.presentPath(), leads(path, to: listed.inode)
      else { continue }
      return path
    }
    var places = ["\(process.folder)/cwd", "\(process.folder)/exe", "\(process.folder)/root"]
      .compactMap { try? Files.linkTarget($0) }
    places += ((try? DescriptorInfo.numbers(of: process)) ?? [])
      .compactMap { try? Files.linkTarget("\(process.folder)/fd/\($0)") }
    for var place in places where place.hasPrefix("/") {
      while place.count > 1 {
        if leads(place, to: listed.inode) { return place }
        place = String(place[..<(place.lastIndex(of: "/") ?? place.startIndex)])
      }
    }
    return leads("/", to: listed.inode) ? "/" : nil
  }

  private static func leads(_ path: String, to inode: UInt64) -> Bool {
    (try? OwnedDescriptor.open(path, flags: OpenFlags.pathOnly | noFollow).details())?.inode
      == inode
  }

  /// O_NOFOLLOW
  private static let noFollow: UInt32 = 0o400000

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    try about(nil) { () throws(SystemCallError) in
      try OwnedDescriptor.fileWatches(flags: state.flags & OpenFlags.nonBlocking)
    }
  }

  /// At the end, so that nothing is noticed of what was done before. Numbers are given in a row, so those
  /// in between are taken for a moment.
  static func finish(
    _ state: DescriptionState, _ file: borrowing OwnedDescriptor, _ restoration: Restoration
  ) throws(CheckpointError) {
    let detail = try restoration.decode(Detail.self, state.detail)
    var next: Int32 = 1
    for watch in detail.watches.sorted(by: { $0.number < $1.number }) {
      guard watch.number >= next, watch.number < numberLimit else {
        throw .malformed(.outOfRange(1))
      }
      let path = restoration.place(of: watch.path)
      try about(nil) { () throws(SystemCallError) in
        while true {
          let number = try file.addWatch(path, events: watch.events & ~doNotFollow | doNotFollow)
          next = number + 1
          if number >= watch.number { break }
          try file.removeWatch(number)
        }
      }
      guard next == watch.number + 1 else {
        throw .obstacles([Obstacle(ProcessID(0), path, "it can't be watched twice")])
      }
    }
    try about(nil) { () throws(SystemCallError) in try file.discardInput() }
  }

  /// IN_DONT_FOLLOW
  private static let doNotFollow: UInt32 = 0x0200_0000
  private static let numberLimit: Int32 = 1 << 16
}

extension FileWatch {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    guard let detail = try? Detail(decoding: state.detail[...]) else { return nil }
    return detail.watches.isEmpty
      ? "watches nothing" : "watches \(detail.watches.map(\.path).joined(separator: ", "))"
  }
}
