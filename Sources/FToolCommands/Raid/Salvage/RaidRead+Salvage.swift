import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import Raid
import RaidGeometry
import SystemPackage

/// `ftool raid read --salvage`: everything that is still whole, and a map of it.
extension RaidRead {
  func performSalvage(_ context: CommandContext) throws -> ExitStatus {
    let session = try salvageSession(context)
    try requireOtherOutput(session.members)
    let array = session.array
    let range = try salvageRange(array)
    warnOfLosses(array, context)
    let mapFile = try self.mapFile(session)
    let (target, known) = try self.target(mapFile, array)
    let output = RescueOutput(target, mapFile, known)
    var todo = 0
    known.forEach(in: range) { if $0.status != .rescued { todo += $0.range.count } }
    let line = context.progress("salvage", total: todo)
    var isRefused = false
    var isDone = false
    do throws(TransferError) {
      do throws(SystemCallError) {
        // Now, and not after hours, it shows whether a map can be written.
        try output.save(isFinished: false)
      } catch {
        throw .other(error)
      }
      isDone = try Salvage(try views(session)).run(
        over: range, except: known, to: output, session.sweep(line, rate: nil))
    } catch {
      line.clear()
      if writesDataToStandardOutput, case .other(let cause) = error, cause.errno == .brokenPipe {
        isRefused = true
      } else {
        try? output.save(isFinished: false)  // the first error is the one to tell
        try context.stop.check(resuming: wayOn)
        throw Failure(error)
      }
    }
    do throws(SystemCallError) {
      try output.save(isFinished: isDone)
    } catch {
      throw Failure(error)
    }
    line.finish()
    try session.close()
    if !isDone, !isRefused { try context.stop.check(resuming: wayOn) }
    return try finish(output.map, range, session, mapFile, isRefused: isRefused, context)
  }

  /// Says what came of it, and ends with what is lost.
  private func finish(
    _ map: RescueMap, _ range: Range<Int>, _ session: ArraySession, _ mapFile: RescueMapFile?,
    isRefused: Bool, _ context: CommandContext
  ) throws(Failure) -> ExitStatus {
    let report = SalvageReport(
      map, of: range, array: session.array, isForced: force, mapPath: mapFile?.path)
    context.output.show(report)
    if report.doubtfulByteCount > 0 {
      context.output.warn(
        "\(ByteSize(report.doubtfulByteCount).exactDescription) of what was written may be old or wrong: "
          + "the map marks them with '/'")
    }
    if report.lostByteCount == 0 || isRefused { return .done }
    var hint = "give members that are missing or were left out, and run the same command again"
    if mapFile == nil { hint += "; with -o FILE or --map FILE a map says what is missing" }
    if !force { hint += "; --force takes what is in doubt or out of date, too" }
    throw Failure(
      .damaged,
      "\(report.losses) of the array are lost"
        + (mapFile.map { "; \($0.path) says where" } ?? ""), hint: hint)
  }

  private var wayOn: String {
    writesDataToStandardOutput
      ? "read again from the start" : "run the same command again: it goes on from its map"
  }

  // MARK: The array

  private func salvageSession(_ context: CommandContext) throws(Failure) -> ArraySession {
    var request = ArraySession.Request()
    request.direct = direct
    request.salvages = true
    request.readPolicy = readPolicy
    request.sumsFile = sums.sumsFile
    request.wait = lock.wait
    request.holes = holes
    if let assume { return try ArraySession(assuming: assume, operand, request, context: context) }
    do throws(Failure) {
      return try ArraySession(operand, request, context: context)
    } catch {
      // Without its journal all of an array is in doubt.
      guard force else { throw error }
      request.allowsDoubt = true
      return try ArraySession(operand, request, context: context)
    }
  }

  private func salvageRange(_ array: RaidArray) throws(Failure) -> Range<Int> {
    let start = offset ?? 0
    guard start <= array.byteCount, length ?? 0 <= array.byteCount - start else {
      throw Failure(
        RaidError.outOfBounds(
          offset: start, byteCount: length ?? 0, arrayByteCount: array.byteCount))
    }
    return start..<start + (length ?? array.byteCount - start)
  }

  /// What to ask for each byte, one after the other.
  private func views(_ session: ArraySession) throws(TransferError) -> [Salvage.View] {
    let assembly = session.array.assembly
    let isDisregarding = assembly.disregardedJournal != nil
    var views = [Salvage.View(session.array, isDoubtful: isDisregarding)]
    guard force, assume == nil else { return views }
    var options = RaidArray.Options()
    options.salvages = true
    options.allowsDoubt = true
    options.readPolicy = readPolicy
    do throws(RaidError) {
      views.append(.init(try RaidArray.open(assembly, options: options), isDoubtful: true))
      // What the newest of them tell is asked for before the older ones have a say.
      for events in assembly.formerEvents {
        guard let former = assembly.withFormerMembers(since: events) else { continue }
        let array = try RaidArray.open(former, options: options)
        // Two former members of a slot may contradict each other on its size.
        if array.byteCount == session.array.byteCount {
          views.append(.init(array, isDoubtful: true))
        }
      }
    } catch {
      throw .array(error)
    }
    return views
  }

  /// Says what was assumed, and of which member only a part is there.
  private func warnOfLosses(_ array: RaidArray, _ context: CommandContext) {
    for case let short as CutShortDevice in array.assembly.members.map(\.device) {
      context.output.warn(
        "\(short.name) has lost its end, \(ByteSize(short.lostByteCount)) or more: what is left of it is used"
      )
    }
    let missing = array.degradedSlots
    guard array.shape.level.usesWholeMembers, !missing.isEmpty else { return }
    let slots = missing.map(String.init).joined(separator: ", ")
    context.output.warn(
      "what lies on the member of slot \(slots) is lost: no other has it; it is taken to have "
        + missing.map { ByteSize(array.shape.memberByteCounts[$0]).description }
        .joined(separator: ", "))
  }

  // MARK: The file and its map

  private func mapFile(_ session: ArraySession) throws(Failure) -> RescueMapFile? {
    let file = writesDataToStandardOutput ? nil : output
    guard let path = map ?? file.map({ "\($0).map" }) else { return nil }
    do {
      if path == file {
        throw Failure(.usage, "\(path) cannot be the map and what it is a map of")
      }
      if Files.exists(path) {
        let identity = try Files.identity(of: path)
        try session.members.requireNoMember(identity, named: path)
        try MemberFiles.requireNoSuperblock(path)
        if let file, Files.exists(file), try Files.identity(of: file) == identity {
          throw Failure(.usage, "\(path) cannot be the map and what it is a map of")
        }
      }
    } catch {
      throw Failure(unexpected: error)
    }
    let id = session.array.assembly.reference.arrayID
    return RescueMapFile(
      path: path, array: assume.map { "assumed \($0)" } ?? id.description,
      comments: [
        "Mapfile. Created by ftool \(FTool.version) from \(session.array.name)",
        "ftool raid read --salvage: positions are bytes of the array",
      ])
  }

  /// Opens where the bytes go, and reads what is known of them.
  private func target(
    _ mapFile: RescueMapFile?, _ array: RaidArray
  ) throws(Failure) -> (RescueOutput.Target, RescueMap) {
    let fresh = RescueMap(byteCount: array.byteCount)
    do {
      guard let output, output != "-" else {
        if let mapFile, Files.exists(mapFile.path) {
          throw Failure(
            .wouldOverwrite,
            "\(mapFile.path) is there already, and standard output cannot be gone on with",
            hint: "choose another map, or write to the file that it is a map of with -o")
        }
        return (.stream(StreamSink(try OwnedDescriptor.standardOutput())), fresh)
      }
      let known = try mapFile?.load(byteCount: array.byteCount)
      if !Files.exists(output) {
        if known != nil, let mapFile {
          throw Failure(
            .notFound, "\(mapFile.path) is there, and \(output), which it is a map of, is not",
            hint: "remove \(mapFile.path) to begin anew")
        }
        let file = try OwnedDescriptor.open(
          output, access: .writeOnly, options: [.create, .exclusive])
        try file.truncate(to: array.byteCount)
        return (.file(RescueFile(file, isNew: true)), fresh)
      }
      return (
        .file(try openPresent(output, mapFile, known, byteCount: array.byteCount)),
        known ?? fresh
      )
    } catch {
      throw Failure(unexpected: error)
    }
  }

  /// Opens a file or device that is there, when it is that of the map or has nothing in it.
  private func openPresent(
    _ output: String, _ mapFile: RescueMapFile?, _ known: RescueMap?, byteCount: Int
  ) throws -> RescueFile {
    let kind = try Files.kind(of: output)
    guard kind == .regular || kind == .block else {
      throw Failure(
        .usage, "\(output) is neither a file nor a block device",
        hint: "leave -o out, and pipe standard output there")
    }
    let file = try OwnedDescriptor.open(output, access: .readWrite)
    let size = try file.size
    if kind == .regular, known == nil, size > 0 {
      throw Failure(
        .wouldOverwrite, "\(output) is there already, without \(mapFile?.path ?? "a map")",
        hint: "remove it to begin anew, or give its map with --map")
    }
    if kind == .regular, known == nil { try file.truncate(to: byteCount) }
    guard kind == .regular && known == nil || size >= byteCount else {
      throw Failure(
        .usage,
        "\(output) is too small: it has \(ByteSize(size)), and the array \(ByteSize(byteCount))",
        hint: known == nil
          ? "choose a larger device" : "remove it and its map to begin anew")
    }
    return RescueFile(file, isNew: kind == .regular && known == nil)
  }
}
