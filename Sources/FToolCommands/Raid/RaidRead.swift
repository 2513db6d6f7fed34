import ArgumentParser
import BlockStorage
import LinuxSystem
import Raid
import SystemPackage

/// `ftool raid read`: copies bytes out of an array.
package struct RaidRead: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "read", abstract: "Copy an array's bytes to standard output or a file.",
    discussion: "Never changes a byte of the members, unless --repair is given.")

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Write to this file. (default: standard output)", valueName: "file"),
    completion: .file())
  package var output: String?

  @Option(
    name: .long, parsing: .unconditional,
    help: ArgumentHelp("The first byte to read. (default: 0)", valueName: "size"),
    transform: parseSize)
  package var offset: Int?

  @Option(
    name: .long, parsing: .unconditional,
    help: ArgumentHelp("How much to read. (default: up to the end)", valueName: "size"),
    transform: parseSize)
  package var length: Int?

  @Flag(name: .long, help: "Write back what had to be reconstructed.")
  package var repair = false

  @Flag(
    name: .long,
    help: "Get out everything that is still whole, however much is lost, with a map of it.")
  package var salvage = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "With --salvage: keep the map, in GNU ddrescue's format, in this file. (default: FILE.map)",
      valueName: "file"),
    completion: .file())
  package var map: String?

  @Flag(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Read what is in doubt, too: after a crash without a member, or without a journal; with --salvage "
        + "also what members out of date hold."))
  package var force = false

  @Flag(name: .long, help: "Bypass the page cache.")
  package var direct = false

  @Option(
    name: .long,
    help: ArgumentHelp("Which copy of a mirror to read.", valueName: "policy"))
  package var readPolicy = ReadPolicy.roundRobin

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Take the members, in the order of their slots, for an array of this layout, whatever their "
        + "superblocks say: level=5,chunk=64K,layout=left-symmetric,data-offset=1M,size=10G.",
      valueName: "layout"),
    transform: AssumedLayout.init(parsing:))
  package var assume: AssumedLayout?

  @OptionGroup package var holes: HolesOption
  @OptionGroup package var degraded: DegradedOption
  @OptionGroup package var sums: SumsFileOption
  @OptionGroup package var lock: LockOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package var writesDataToStandardOutput: Bool { output == nil || output == "-" }

  package func validate() throws {
    if degraded.degraded && !repair {
      throw ValidationError("--degraded is for writing: reading needs it only with --repair")
    }
    if salvage, repair {
      throw ValidationError("--salvage only reads: it does not go with --repair")
    }
    if repair, !holes.holes.isEmpty {
      throw ValidationError("--holes is for reading: it does not go with --repair")
    }
    if map != nil, !salvage { throw ValidationError("--map is for --salvage") }
    if map == "-" || map == "" { throw ValidationError("--map needs the path of a file") }
    if assume != nil, repair || sums.sumsFile != nil || !operand.scan.isEmpty {
      throw ValidationError(
        "--assume only reads the members that are named: it goes with none of --repair, --sums-file "
          + "and --scan")
    }
  }

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    if salvage { return try performSalvage(context) }
    var request = ArraySession.Request()
    request.use = repair ? .write : .read
    request.direct = direct
    request.allowsDegraded = degraded.degraded
    request.allowsDoubt = force
    request.readPolicy = readPolicy
    request.sumsFile = sums.sumsFile
    request.wait = lock.wait
    request.holes = holes
    let session =
      if let assume {
        try ArraySession(assuming: assume, operand, request, context: context)
      } else {
        try ArraySession(operand, request, context: context)
      }
    try requireOtherOutput(session.members)
    let array = session.array
    let start = offset ?? 0
    guard start <= array.byteCount, length ?? 0 <= array.byteCount - start else {
      throw Failure(
        RaidError.outOfBounds(
          offset: start, byteCount: length ?? 0, arrayByteCount: array.byteCount))
    }
    let range = start..<start + (length ?? array.byteCount - start)
    let line = context.progress("read", total: range.count)
    let options = session.sweep(line, rate: nil)
    var done = 0
    var isRefused = false
    let stream = try outputStream()
    do throws(TransferError) {
      done = try copy(array, range, to: stream, options)
    } catch {
      line.clear()
      // A reader that has seen enough (head, tar) is no failure, as for every other command.
      if case .other(let cause) = error, cause.errno == .brokenPipe {
        isRefused = true
      } else {
        if array.options.isWritable { try session.close() } else { session.warnOfFindings() }
        try context.stop.check(resuming: wayOn(from: start, after: stream?.byteCount))
        throw Failure(error)
      }
    }
    line.finish()
    try session.close()
    if done < range.count, !isRefused {
      try context.stop.check(resuming: wayOn(from: start, after: done))
    }
    context.output.show(
      SimpleReport(
        type: "raid-read", "",
        json: [
          "array": .string(array.name), "offset": .number(start),
          "bytes": isRefused ? .null : .number(done), "complete": .bool(!isRefused),
          "blocks_restored": .number(array.blocksRestored),
          "blocks_unproven": .number(array.blocksUnproven),
        ]))
    return .done
  }

  /// Refuses to write into the members that are read.
  func requireOtherOutput(_ members: MemberFiles) throws(Failure) {
    do {
      if let output, output != "-" {
        if Files.exists(output) {
          try members.requireNoMember(try Files.identity(of: output), named: output)
          try MemberFiles.requireNoSuperblock(output)
        }
      } else {
        let stream = try OwnedDescriptor.standardOutput()
        try members.requireNoMember(try stream.identity, named: stream.name)
      }
    } catch {
      throw Failure(unexpected: error)
    }
  }

  private func wayOn(from start: Int, after done: Int?) -> String {
    guard let done else { return "read again from the start" }
    return "the first \(done) bytes were copied; read again from the start, or the rest with "
      + "--offset \(start + done)"
  }

  /// Where the bytes go one after the other; nil for a regular file.
  private func outputStream() throws(Failure) -> StreamSink? {
    do throws(SystemCallError) {
      guard let output, output != "-" else {
        return StreamSink(try OwnedDescriptor.standardOutput())
      }
      if !Files.exists(output) || (try? Files.kind(of: output)) == .regular { return nil }
      return StreamSink(try OwnedDescriptor.open(output, access: .writeOnly))
    } catch {
      throw Failure(error)
    }
  }

  /// Copies to where the bytes are wanted.
  private func copy(
    _ array: RaidArray, _ range: Range<Int>, to stream: StreamSink?, _ options: SweepOptions
  ) throws(TransferError) -> Int {
    if let stream { return try array.copy(range, to: stream, options) }
    guard let output else { return 0 }
    let file: OwnedDescriptor
    do throws(SystemCallError) {
      file = try OwnedDescriptor.open(output, access: .writeOnly, options: [.create, .truncate])
    } catch {
      throw .other(error)
    }
    let sink = FileSink(file)
    let done: Int
    do throws(TransferError) {
      done = try array.copy(range, to: sink, options)
    } catch {
      try? sink.finish()  // the first error is the one to tell
      throw error
    }
    do throws(SystemCallError) { try sink.finish() } catch { throw .other(error) }
    return done
  }
}
