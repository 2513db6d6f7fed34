import ArgumentParser
import LinuxSystem

/// The root command, and the one place where a throw becomes lines and a status.
package struct FTool: ParsableCommand {
  /// The version of the program.
  package static let version = "0.1.0"

  package static let configuration = CommandConfiguration(
    commandName: "ftool",
    abstract: "RAID in user space, and running programs kept in files.",
    discussion: "See ftool(1), and a page for each command, such as ftool-raid-create(1).",
    version: version,
    subcommands: [
      RaidGroup.self, CheckpointGroup.self, Doctor.self, Completion.self, Version.self,
    ])

  package init() {}

  /// Runs the program with the arguments of this process, and ends it.
  package static func runAndExit() -> Never {
    OwnedDescriptor.reserveStandardDescriptors()
    let arguments = Array(Machine.arguments.dropFirst())
    exit(withError: ExitCode(main(arguments: arguments)))
  }

  /// Runs one command and returns the number to exit with.
  package static func main(
    arguments: [String], surroundings: Surroundings = .ofThisProcess()
  ) -> Int32 {
    do {
      return run(try verb(arguments), surroundings)
    } catch {
      return answer(error, arguments, surroundings)
    }
  }

  /// The command that arguments mean, with its options checked; or why they mean none.
  package static func verb(_ arguments: [String]) throws -> any Verb {
    let path = try CommandPath(arguments, root: FTool.self)
    var command = try parseAsRoot(path.arguments)
    if let verb = command as? any Verb { return verb }
    try command.run()  // `help` throws what it has to say
    throw Failure(.bug, "a bug in ftool: '\(path.names.joined(separator: " "))' does nothing")
  }

  private static func run(_ verb: any Verb, _ surroundings: Surroundings) -> Int32 {
    let context = CommandContext(
      global: verb.global, surroundings: surroundings,
      dataOnStandardOutput: verb.writesDataToStandardOutput)
    let output = context.output
    MemoryExhaustion.answer(with: { byteCount in
      output.finish(.failure(Failure(outOfMemory: byteCount)))
    })
    do {
      return context.output.finish(.success(try verb.perform(context)))
    } catch {
      return context.output.finish(.failure(Failure(unexpected: error)))
    }
  }

  /// What the parser threw: an answer (help, version) is written, the rest is wrong usage.
  private static func answer(
    _ error: any Error, _ arguments: [String], _ surroundings: Surroundings
  ) -> Int32 {
    let raw = RawArguments(arguments)
    let output = raw.output(surroundings)
    if let failure = error as? Failure { return output.finish(.failure(failure)) }
    let full = fullMessage(for: error, columns: surroundings.standardOutput.columnCount ?? 80)
    guard exitCode(for: error) == .success else {
      return output.finish(.failure(Failure(usage: message(for: error), full: full)))
    }
    let isVersion = full == version
    // What was asked for is the result, also of a command that would write bytes there.
    let answer = raw.output(surroundings, isAnswer: true)
    answer.show(
      isVersion
        ? Version.report : SimpleReport(type: "help", full, json: ["text": .string(full)]))
    return answer.finish(.success(.done))
  }
}

extension Failure {
  /// Wrong usage, in the words of the parser: the hint is the page of the command that it names.
  fileprivate init(usage message: String, full: String) {
    var message = Substring(message)
    if message.hasSuffix(".") { message = message.dropLast() }
    // A sentence begins in lower case here; a value or an option keeps its own.
    if let first = message.first, first.isUppercase, message.dropFirst().first?.isLowercase == true
    {
      message = first.lowercased() + message.dropFirst()
    }
    var hint: String?
    if let see = full.split(separator: "\n").last(where: { $0.contains("See '") }) {
      hint = see.split(separator: "'").dropFirst().first.map { "see '\($0)'" }
    }
    self.init(.usage, String(message), hint: hint)
  }
}
