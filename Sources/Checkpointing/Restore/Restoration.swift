import BinaryCodec
import LinuxSystem
import SystemPackage

/// How a checkpoint is brought back.
package struct RestoreOptions: Sendable {
  /// What one of standard input, output and error becomes that led outside.
  package enum StandardFile: Sendable {
    /// That of this process.
    case inherited
    /// Another descriptor of this process.
    case descriptor(Int32)
    /// Nothing is read, and what is written is gone.
    case null
    /// A file: read from its start as standard input, appended to as the others.
    case file(String)
  }

  /// Which numbers the processes get.
  package enum Numbers: Sendable {
    /// Those that they had: in the pid namespace of this process, or where this process may not choose
    /// numbers in one of their own.
    case same
    /// The same where they are free, else in a pid namespace of their own.
    case any
  }

  /// Which numbers the processes get.
  package var numbers = Numbers.same
  /// By their numbers.
  package var standardFiles: [StandardFile] = [.inherited, .inherited, .inherited]
  /// How a standard file was said to lead elsewhere.
  package enum Redirection: Sendable {
    /// With the others.
    case all
    /// By its number.
    case named
  }

  /// Standard files that become these also where they were regular files, by their numbers.
  package var redirections: [Int32: Redirection] = [:]
  /// Standard input of this process is the image, and nothing for the tree.
  package var standardInputIsImage = false
  /// Paths that begin with one lead to the other instead; the first that fits.
  package var pathMap: [PathMapping] = []
  /// The tree gets a session of its own when its own session was outside.
  package var isDetached = false
  /// It stays stopped, as by SIGSTOP.
  package var staysStopped = false
  /// Files may have changed, and the processor may do less than the one where the tree was saved.
  package var acceptsChangedFiles = false
  /// Told of the progress, and asked whether to go on.
  package var watch = JobWatch()

  /// Under the same numbers, in front, with this process's standard files; changed files are refused.
  package init() {}
}

extension CheckpointState {
  /// The numbers of all processes and threads, the root's first; 0 where a thread's is not known.
  var numbers: [Int32] {
    processes.flatMap { process in [process.id] + process.threads.dropFirst().map(\.id) }
  }
}

/// What is open while a tree is brought back, for all of its processes to inherit.
final class Restoration {
  let state: CheckpointState
  /// The processors that this process may use.
  let affinity = (try? ProcessID.current.affinity()) ?? []
  let options: RestoreOptions
  /// What could not be brought back as it was, though the tree can live without.
  private(set) var warnings: [Obstacle] = []
  private var pipes: [UInt64: Pipe] = [:]
  private var opened: [OpenFile?] = []
  let unixSockets = UnixSocketTable()
  private var terminals: [UInt32: RestoredTerminal] = [:]
  private var passage: DescriptorPassage?
  /// Who makes calls as processes of the tree, while descriptions are opened for them.
  private(set) var standIns: StandIns?
  private var mapped: [MappedFile: OpenFile] = [:]
  private var directories: [String: OpenFile] = [:]
  private(set) var objects: [RestoredObject] = []
  /// What standard input, output and error become that led outside; empty if none did.
  private var standard: [OpenFile] = []
  let journal = RestoreJournal()
  private var files: FileCheck?
  private var usedMappings: Set<Int> = []
  /// Below here are the numbers that processes of the tree use.
  private(set) var lowestNumber: Int32

  /// The tree has a pid namespace of its own, and with it other mounts than this process.
  var isInNamespace = false
  private var processes: [Int32: ProcessID] = [:]

  private struct MappedFile: Hashable {
    var path: String
    var isWritable: Bool
  }

  /// A descriptor that children find under the same number.
  final class OpenFile: Sendable {
    let descriptor: OwnedDescriptor
    init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }
    var number: UInt64 { UInt64(UInt32(bitPattern: descriptor.numberForChildren())) }
  }

  /// Throws what stands in the way, as far as it can be seen before anything is made or opened.
  init(_ state: CheckpointState, _ options: RestoreOptions) throws(CheckpointError) {
    var state = state
    warnings = state.redirect(options.redirections)
    self.state = state
    self.options = options
    Machine.allowManyDescriptors()
    lowestNumber = state.processes.flatMap(\.descriptors).map(\.number).max() ?? 0
    for description in state.descriptions {
      lowestNumber = max(
        lowestNumber, try Self.kind(of: description).numberLimit(description.detail, self))
    }
    guard lowestNumber < Self.numberLimit else { throw .malformed(.outOfRange(3)) }
    lowestNumber += 64
    try Self.requireRoom(
      Int(lowestNumber) + state.descriptions.count + 2 * state.objects.count + 64)
    if let obstacle = ProcessorCheck.obstacle(state) {
      guard options.acceptsChangedFiles else { throw .obstacles([obstacle]) }
      warnings.append(obstacle)
    }
    let files = try FileCheck(self)
    self.files = files
    warnings += files.warnings
    warnings += state.withoutEffect(options.redirections)
    for (index, mapping) in options.pathMap.enumerated() where !usedMappings.contains(index) {
      warn(
        0, "--map \(mapping)",
        "it has no effect: no path of the program begins so, or an earlier --map leads it elsewhere"
      )
    }
  }

  /// Opens all that needs no process. When this or anything later throws, call `abandon`.
  func openAll() throws(CheckpointError) {
    let leadsOutside = state.descriptions.contains {
      $0.kind == ExternalFile.name || $0.kind == ControllingTerminal.name
    }
    if leadsOutside || state.processes.contains(where: \.hasOutsideTerminal) {
      for number in Int32(0)...2 {
        standard.append(
          try keep(
            try about(nil) { () throws(SystemCallError) in try standardDescriptor(number) }))
      }
    }
    // Objects first: descriptors may be of the files that come back with them.
    for (index, object) in state.objects.enumerated() {
      objects.append(
        try RestoredObject(object, isWritten: isWritten(object, numbered: index), self))
    }
    for process in state.processes where process.life != .zombie { try openPaths(of: process) }
    for description in state.descriptions {
      let kind = try Self.kind(of: description)
      if kind.needsProcesses {
        opened.append(nil)
        if passage == nil {
          passage = try about(nil) { () throws(SystemCallError) in
            try DescriptorPassage(lowestNumber: lowestNumber)
          }
        }
      } else {
        try open(description, kind)
      }
    }
  }

  /// Whether a process maps it so that it may write.
  private func isWritten(_ object: ObjectState, numbered index: Int) -> Bool {
    state.processes.contains { process in
      process.areas.contains { area in
        guard area.needsWriting else { return false }
        return area.content == .object && area.object == index
          || area.content == .file && object.hasName && area.name == object.name
      }
    }
  }

  private func open(
    _ description: DescriptionState, _ kind: any DescriptorKind.Type
  ) throws(CheckpointError) {
    var plain = description
    // Only a process can ask for signals: one of those that it is about does so later.
    plain.flags &= ~OpenFlags.signalling
    let file = try keep(try kind.reopen(plain, self))
    for lock in description.locks { try FileLocks.take(lock, file.descriptor) }
    opened.append(file)
  }

  private static let numberLimit: Int32 = 1 << 20

  private static func requireRoom(_ count: Int) throws(CheckpointError) {
    let limit = Machine.descriptorLimit()
    if count <= limit { return }
    throw .obstacles([
      Obstacle(
        ProcessID(0), "the tree's descriptors",
        "they need numbers up to \(count), and this process may have \(limit) open",
        remedy: "raise the limit, as with ulimit -Hn \(count)")
    ])
  }

  private static func kind(
    of description: DescriptionState
  ) throws(CheckpointError) -> any DescriptorKind.Type {
    guard let kind = DescriptorKinds.kind(named: description.kind) else {
      throw .inconsistent(.unknownKind(description.kind))
    }
    return kind
  }

  /// Opens what has to do with processes, when they are there.
  func openWithProcesses(_ builders: [ProcessBuilder]) throws(CheckpointError) {
    let standIns = StandIns(builders, self)
    self.standIns = standIns
    for (index, description) in state.descriptions.enumerated() where opened[index] == nil {
      opened[index] = try keep(try Self.kind(of: description).reopen(description, self))
    }
    for kind in DescriptorKinds.all { try kind.fill(self) }
    try standIns.dismiss()
    self.standIns = nil
  }

  /// The last steps, when the processes have everything.
  func finish() throws(CheckpointError) {
    // Ends that nobody of the tree has are closed: whoever has the other is told so now, and not later.
    (pipes, mapped, directories) = ([:], [:], [:])
    for (index, description) in state.descriptions.enumerated() {
      guard let file = opened[index] else { continue }
      try Self.kind(of: description).finish(description, file.descriptor, self)
    }
    (terminals, passage) = ([:], nil)
  }

  /// After the last step of the processes themselves.
  func finishAtLast() throws(CheckpointError) {
    for (index, description) in state.descriptions.enumerated() {
      guard let file = opened[index] else { continue }
      try Self.kind(of: description).finishAtLast(description, file.descriptor)
    }
  }

  /// Under a number that the tree does not use.
  func keep(_ descriptor: consuming OwnedDescriptor) throws(CheckpointError) -> OpenFile {
    let lowest = lowestNumber
    let high = try about(nil) { () throws(SystemCallError) in
      try descriptor.duplicate(from: lowest)
    }
    return OpenFile(high)
  }

  /// Notes which process has become that of the image, by the number that it has for us.
  func note(_ process: ProcessID, for number: Int32) { processes[number] = process }

  /// No process of the tree has been made any more.
  func forgetProcesses() { processes = [:] }

  /// The process that was made for one of the image; nil if there is none.
  func process(numbered number: Int32) -> ProcessID? { processes[number] }

  func warn(_ process: Int32, _ place: String, _ reason: String) {
    warnings.append(Obstacle(ProcessID(process), place, reason))
  }

  // MARK: Files

  /// The files that come back from their copies, by the paths that they had.
  var putBack: [(path: String, isReplaced: Bool)] { files?.putBack ?? [] }

  /// What becomes of the file that had this path, of which the checkpoint has a copy.
  func fate(of path: String) -> FileCheck.Fate { files?.fate(of: path) ?? .stays }

  /// What is made for the file that had this path; nil where the file is taken as it is there.
  func object(atPath path: String) -> RestoredObject? {
    objects.first { $0.state.hasName && $0.state.name == path && !$0.isCompared && !$0.isUnused }
  }

  /// What the checkpoint says of an object.
  func objectState(_ index: Int) throws(CheckpointError) -> ObjectState {
    guard state.objects.indices.contains(index) else { throw .inconsistent(.unknownObject) }
    return state.objects[index]
  }

  // MARK: For the kinds of descriptors

  func decode<Detail: FieldCoded>(
    _ type: Detail.Type, _ bytes: [UInt8]
  ) throws(CheckpointError) -> Detail {
    do throws(FieldError) {
      return try Detail(decoding: bytes[...])
    } catch {
      throw .malformed(error)
    }
  }

  /// Where a path of then leads to now.
  func place(of path: String) -> String {
    for (index, mapping) in options.pathMap.enumerated() {
      guard let place = mapping.place(of: path) else { continue }
      usedMappings.insert(index)
      return place
    }
    return path
  }

  /// The terminal that one side of it describes.
  func terminal(_ detail: PseudoTerminal.Detail) throws(CheckpointError) -> RestoredTerminal {
    if let terminal = terminals[detail.index] { return terminal }
    let terminal = try RestoredTerminal(detail, self)
    terminals[detail.index] = terminal
    return terminal
  }

  func terminal(numbered index: UInt32) -> RestoredTerminal? { terminals[index] }

  /// The pipe that has this number in the image.
  func pipe(
    _ number: UInt64, capacity: UInt64, path: String
  ) throws(CheckpointError) -> Pipe {
    if let pipe = pipes[number] { return pipe }
    let size = Int(clamping: min(capacity, 1 << 20))
    let pipe = try about(nil) { () throws(SystemCallError) in
      path.isEmpty ? try Pipe(capacity: size) : try Pipe(fifo: place(of: path), capacity: size)
    }
    pipes[number] = pipe
    return pipe
  }

  /// Opens what a standard file that led outside becomes.
  private func standardDescriptor(_ number: Int32) throws(SystemCallError) -> OwnedDescriptor {
    switch options.standardFiles[Int(number)] {
    case .inherited:
      if number == 0 && options.standardInputIsImage {
        return try OwnedDescriptor.open("/dev/null", access: .readOnly)
      }
      return try OwnedDescriptor.standard(number)
    case .descriptor(let given): return try OwnedDescriptor.standard(given)
    case .null: return try OwnedDescriptor.open("/dev/null", access: .readWrite)
    case .file(let path):
      if number == 0 { return try OwnedDescriptor.open(path, access: .readOnly) }
      return try OwnedDescriptor.open(
        path, access: .writeOnly, options: [.create, .append], permissions: 0o666)
    }
  }

  /// The number in children of what a standard file has become, if it is one and its description led outside.
  func standardNumber(
    _ number: Int32, ofDescription index: UInt32
  ) throws(CheckpointError) -> UInt64? {
    guard standard.indices.contains(Int(number)), description(index)?.kind == ExternalFile.name
    else { return nil }
    return standard[Int(number)].number
  }

  /// One of them, for whoever has it under another number besides.
  func standardDescriptor(duplicating number: Int32) throws(SystemCallError) -> OwnedDescriptor {
    guard standard.indices.contains(Int(number)) else {
      throw SystemCallError(
        call: "fcntl", subject: "descriptor \(number)", errno: .badFileDescriptor)
    }
    return try standard[Int(number)].descriptor.duplicate(from: lowestNumber)
  }

  /// Those that are terminals.
  func standardTerminals() -> [UInt64] {
    standard.filter { $0.descriptor.isTerminal() }.map(\.number)
  }

  // MARK: For the processes

  /// Memory that processes share gets what only now can be set; files that come back take their places.
  func finishObjects() throws(CheckpointError) {
    for object in objects {
      let kept = try object.finish()
      switch object.isCompared || object.state.kind != .copiedFile
        ? .stays : fate(of: object.state.name)
      {
      case .stays, .unused: break
      case .returns: warn(0, object.state.name, "it was gone, and was put back")
      case .replaced:
        warn(
          0, object.state.name,
          "it had changed, and was put back" + (kept.map { "; what was there is \($0) now" } ?? ""))
      }
    }
  }

  /// Removes what would stay though the tree does not.
  func abandon() {
    standIns?.abandon()
    standIns = nil
    journal.undo()
  }

  /// The tree runs.
  func settle() { journal.settle() }

  /// The number under which processes have inherited it; nil for what was opened after they were made.
  func number(ofDescription index: UInt32) throws(CheckpointError) -> UInt64? {
    guard Int(index) < opened.count else { throw .inconsistent(.unknownDescription) }
    if try Self.kind(of: state.descriptions[Int(index)]).needsProcesses { return nil }
    return opened[Int(index)]?.number
  }

  /// Sends such a one to whoever receives next; returns the number of the socket to receive from.
  func pass(description index: UInt32) throws(CheckpointError) -> UInt64 {
    guard let passage, let file = opened[Int(index)] else {
      throw .inconsistent(.unknownDescription)
    }
    try about(nil) { () throws(SystemCallError) in try passage.send(file.descriptor) }
    return UInt64(passage.numberForChildren)
  }

  /// The same for one that is no description of the image.
  func pass(_ file: borrowing OwnedDescriptor) throws(CheckpointError) -> UInt64 {
    guard let passage else { throw .inconsistent(.unknownDescription) }
    do throws(SystemCallError) {
      try passage.send(file)
    } catch {
      throw .system(error, process: nil)
    }
    return UInt64(passage.numberForChildren)
  }

  func description(_ index: UInt32) -> DescriptionState? {
    Int(index) < state.descriptions.count ? state.descriptions[Int(index)] : nil
  }

  /// The first process that has it.
  func firstHolder(of index: UInt32) -> Int32? {
    state.processes.first { $0.descriptors.contains { $0.description == index } }?.id
  }

  func kind(ofDescription index: UInt32) throws(CheckpointError) -> any DescriptorKind.Type {
    guard Int(index) < opened.count else { throw .inconsistent(.unknownDescription) }
    return try Self.kind(of: state.descriptions[Int(index)])
  }

  /// The file behind a mapping.
  func number(of area: AreaState) throws(CheckpointError) -> UInt64 {
    switch area.content {
    case .object:
      return try object(Int(area.object)).number(forWriting: area.needsWriting)
    case .file:
      let key = MappedFile(path: area.name, isWritable: area.needsWriting)
      if let made = object(atPath: area.name) {
        return try made.number(forWriting: area.needsWriting)
      }
      guard let file = mapped[key] else { throw .inconsistent(.unknownObject) }
      return file.number
    case .anonymous, .kernel: return .max
    }
  }

  /// Memory or a file that the checkpoint holds.
  func object(_ index: Int) throws(CheckpointError) -> RestoredObject {
    guard objects.indices.contains(index) else { throw .inconsistent(.unknownObject) }
    return objects[index]
  }

  func number(ofDirectory path: String) throws(CheckpointError) -> UInt64 {
    guard let file = directories[path] else { throw .inconsistent(.unknownDescription) }
    return file.number
  }

  private func openPaths(of process: ProcessState) throws(CheckpointError) {
    for path in [process.workingDirectory, process.root, process.executable]
    where directories[path] == nil {
      // A program whose file has been deleted or replaced since it was started.
      if path == process.executable,
        let area = process.areas.first(where: { $0.content == .object && $0.name == path })
      {
        directories[path] = try object(Int(area.object)).forReading
        continue
      }
      if path == process.executable, let made = object(atPath: path) {
        directories[path] = made.forReading
        continue
      }
      let file = try about(nil) { () throws(SystemCallError) in
        try OwnedDescriptor.open(
          place(of: path), flags: path == process.executable ? 0 : Self.pathOnly)
      }
      directories[path] = try keep(file)
    }
    for area in process.areas where area.content == .file {
      let key = MappedFile(path: area.name, isWritable: area.needsWriting)
      if mapped[key] != nil || object(atPath: area.name) != nil { continue }
      let file = try about(nil) { () throws(SystemCallError) in
        try OwnedDescriptor.open(place(of: area.name), flags: key.isWritable ? 2 : 0)
      }
      mapped[key] = try keep(file)
    }
  }

  private static let pathOnly: UInt32 = 0o10000000
}

extension AreaState {
  /// Whether the file must be open for writing.
  var needsWriting: Bool { isShared && flags.contains("mw") }
}
