/// What can be known of arguments that could not be parsed: how to tell about it.
struct RawArguments {
  private let options: ArraySlice<String>

  init(_ arguments: [String]) {
    options = arguments[..<(arguments.firstIndex(of: "--") ?? arguments.endIndex)]
  }

  /// An output as these options want it; for an answer of the parser itself, on standard output.
  func output(_ surroundings: Surroundings, isAnswer: Bool = false) -> Output {
    Output(
      standardOutput: surroundings.standardOutput, standardError: surroundings.standardError,
      isJSON: options.contains("--json"),
      dataOnStandardOutput: !isAnswer && writesDataToStandardOutput,
      environment: surroundings.environment)
  }

  /// Whether this is `raid read` without a file to read into.
  private var writesDataToStandardOutput: Bool {
    let words = options.filter { !$0.hasPrefix("-") }
    guard words.starts(with: ["raid", "read"]) else { return false }
    guard
      let option = options.lastIndex(where: {
        $0 == "-o" || $0 == "--output" || $0.hasPrefix("--output=")
      })
    else { return true }
    let value =
      options[option].hasPrefix("--output=")
      ? String(options[option].dropFirst("--output=".count))
      : options[(option + 1)...].first
    return value == nil || value == "-"
  }
}
