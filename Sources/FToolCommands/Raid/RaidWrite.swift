import ArgumentParser
import BlockStorage
import LinuxSystem
import Raid

/// `ftool raid write`: copies bytes into an array.
package struct RaidWrite: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "write", abstract: "Copy standard input or a file into an array.",
    discussion: "Ends with a flush: what was written is on the members' disks.")

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Read from this file. (default: standard input)", valueName: "file"),
    completion: .file())
  package var input: String?

  @Option(
    name: .long, parsing: .unconditional,
    help: ArgumentHelp("The first byte to write. (default: 0)", valueName: "size"),
    transform: parseSize)
  package var offset: Int?

  @Flag(name: .long, help: "Flush after every write, not only at the end.")
  package var sync = false

  @Flag(name: .long, help: "Bypass the page cache.")
  package var direct = false

  @OptionGroup package var change: ChangeOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let session = try change.open(operand, context) { $0.direct = direct }
    let array = session.array
    let source = try StreamSource(input)
    try source.requireNoMember(of: session.members)
    let start = offset ?? 0
    let room = array.byteCount - start
    guard room >= 0, source.byteCount ?? 0 <= room else {
      throw Failure(
        RaidError.outOfBounds(
          offset: start, byteCount: source.byteCount ?? 0, arrayByteCount: array.byteCount))
    }
    if change.write.dryRun {
      try session.requireWritable()
      context.output.show(
        WritePlan(array, start: start, byteCount: source.byteCount))
      return .done
    }
    let line = context.progress("write", total: source.byteCount)
    var options = RaidArray.CopyInOptions()
    options.sweep = session.sweep(line, rate: nil)
    options.flushesAlways = sync
    options.expectedByteCount = source.byteCount
    let done: Int
    do throws(TransferError) {
      done = try array.copy(from: source, at: start, options)
    } catch {
      line.clear()
      try session.close()
      try checkStop(context)
      throw Failure(error)
    }
    line.finish()
    try session.close()
    try checkStop(context)
    context.output.show(
      SimpleReport(
        type: "raid-write", "wrote \(ByteSize(done)) to \(array.name) at byte \(start)",
        json: [
          "array": .string(array.name), "offset": .number(start), "bytes": .number(done),
        ]))
    return .done
  }

  /// A stream does not come twice, so the same command would not go on.
  private func checkStop(_ context: CommandContext) throws(Failure) {
    try context.stop.check(
      resuming: "what had been written is on the members; write again from the start, or the rest "
        + "with --offset")
  }
}
