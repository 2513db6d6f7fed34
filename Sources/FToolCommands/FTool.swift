import ArgumentParser

/// The root command, and the one place where a throw becomes lines and a status.
package struct FTool: ParsableCommand {
  /// The version of the program.
  package static let version = "0.1.0"

  package static let configuration = CommandConfiguration(
    commandName: "ftool",
    abstract: "RAID in user space, on the formats of Linux md.",
    discussion: "See ftool(1), and a page for each command, such as ftool-raid-create(1).",
    version: version,
    subcommands: [RaidGroup.self, Completion.self, Version.self])

  package init() {}

  /// Runs the program with the arguments of this process, and ends it.
  package static func runAndExit() -> Never {
    let arguments = Array(CommandLine.arguments.dropFirst())
    exit(withError: ExitCode(main(arguments: arguments)))
  }

  /// Runs one command and returns the number to exit with.
  package static func main(
    arguments: [String], surroundings: Surroundings = .ofThisProcess()
  ) -> Int32 {
    do {
      let path = try CommandPath(arguments, root: FTool.self)
      return try run(path, surroundings)
    } catch {
      return report(error, before: arguments, surroundings)
    }
  }

  private static func run(
    _ path: CommandPath, _ surroundings: Surroundings
  ) throws(Failure) -> Int32 {
    let verb: any Verb
    do {
      var command = try parseAsRoot(path.arguments)
      guard let parsed = command as? any Verb else {
        try command.run()
        throw Failure(.bug, "a bug in ftool: '\(path.names.joined(separator: " "))' does nothing")
      }
      verb = parsed
    } catch {
      return try answer(error, path, surroundings)
    }
    return run(verb, surroundings)
  }

  private static func run(_ verb: any Verb, _ surroundings: Surroundings) -> Int32 {
    let context = CommandContext(
      global: verb.global, surroundings: surroundings,
      dataOnStandardOutput: verb.writesDataToStandardOutput)
    do {
      return context.output.finish(.success(try verb.perform(context)))
    } catch {
      return context.output.finish(.failure(Failure(unexpected: error)))
    }
  }

  /// What the parser threw: an answer (help, version) is written, the rest is wrong usage.
  private static func answer(
    _ error: any Error, _ path: CommandPath, _ surroundings: Surroundings
  ) throws(Failure) -> Int32 {
    if let failure = error as? Failure { throw failure }
    let columns = surroundings.standardOutput.columnCount ?? 80
    let full = fullMessage(for: error, columns: columns)
    guard exitCode(for: error) == .success else {
      throw Failure(usage: message(for: error), full: full)
    }
    let output = RawArguments(path.arguments).output(surroundings)
    output.show(SimpleReport(type: "help", full, json: ["text": .string(full)]))
    return output.finish(.success(.done))
  }

  /// Shows a failure that came before the options were known.
  private static func report(
    _ failure: Failure, before arguments: [String], _ surroundings: Surroundings
  ) -> Int32 {
    RawArguments(arguments).output(surroundings).finish(.failure(failure))
  }
}

extension Failure {
  /// Wrong usage, in the words of the parser: the hint is the page of the command that it names.
  fileprivate init(usage message: String, full: String) {
    var message = Substring(message)
    if message.hasSuffix(".") { message = message.dropLast() }
    // A sentence begins in lower case here; a value or an option keeps its own.
    if let first = message.first, first.isUppercase, message.dropFirst().first?.isLowercase == true {
      message = first.lowercased() + message.dropFirst()
    }
    var hint: String?
    if let see = full.split(separator: "\n").last(where: { $0.contains("See '") }) {
      hint = see.split(separator: "'").dropFirst().first.map { "see '\($0)'" }
    }
    self.init(.usage, String(message), hint: hint)
  }
}
