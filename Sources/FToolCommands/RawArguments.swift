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

  /// Whether this is `raid read` without a file to read into, `checkpoint save` without one, or a restored
  /// program that stays in front.
  private var writesDataToStandardOutput: Bool {
    let words = options.filter { !$0.hasPrefix("-") }
    switch words.prefix(2) {
    case ["raid", "read"]: return output == nil || output == "-"
    case ["checkpoint", "save"]: return output == "-"
    case ["checkpoint", "restore"]:
      return !options.contains("--detach") && value(of: ["--verify"]) != "only"
    default: return false
    }
  }

  private var output: String? { value(of: ["-o", "--output"]) }

  /// The last value of an option, by any of its names.
  private func value(of names: [String]) -> String? {
    guard
      let option = options.lastIndex(where: { option in
        names.contains { option == $0 || option.hasPrefix("\($0)=") }
      })
    else { return nil }
    if let equals = options[option].firstIndex(of: "=") {
      return String(options[option][equals...].dropFirst())
    }
    return options[(option + 1)...].first
  }
}
