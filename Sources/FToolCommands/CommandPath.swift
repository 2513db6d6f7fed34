import ArgumentParser

/// The noun and the verb among the arguments, found before the options are parsed: options may
/// stand in front of them, and an error needs to know which command it is about.
struct CommandPath {
  /// The commands on the way, without the root: `raid`, `create`.
  let names: [String]
  /// The arguments with the options that stood in front of the verb moved behind it.
  let arguments: [String]

  /// The options that every command has and that have a value.
  private static let optionsWithValue: Set<String> = ["--progress"]
  /// What the parser answers by itself, wherever it stands.
  private static let answeredByParser: Set<String> = [
    "-h", "--help", "--help-hidden", "--version", "--experimental-dump-help",
    "--generate-completion-script", "---completion",
  ]

  /// Follows the words down the tree of commands.
  init(_ arguments: [String], root: any ParsableCommand.Type) throws(Failure) {
    var node = root
    var names: [String] = []
    var early: [String] = []
    var index = 0
    while index < arguments.count, !Self.children(node).isEmpty {
      let word = arguments[index]
      index += 1
      if word == "--" { break }
      if word.hasPrefix("-") && word != "-" {
        early.append(word)
        if Self.optionsWithValue.contains(word), index < arguments.count {
          early.append(arguments[index])
          index += 1
        }
        if Self.answeredByParser.contains(word) { break }
      } else if names.isEmpty && word == "help" {
        try Self.checkHelp(arguments[index...], root: root)
        names.append(word)
        break
      } else if let child = Self.children(node).first(where: { Self.name($0) == word }) {
        names.append(word)
        node = child
      } else {
        throw Self.unknown(word, below: node, names)
      }
    }
    let isAnswered = early.contains { Self.answeredByParser.contains($0) }
    if !isAnswered, names.first != "help", !Self.children(node).isEmpty {
      throw Self.missing(below: node, names)
    }
    self.names = names
    self.arguments = names + early + arguments[index...]
  }

  private static func children(_ node: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
    node.configuration.subcommands
  }

  private static func name(_ node: any ParsableCommand.Type) -> String {
    node.configuration.commandName ?? String(describing: node).lowercased()
  }

  private static func checkHelp(
    _ words: ArraySlice<String>, root: any ParsableCommand.Type
  ) throws(Failure) {
    var node = root
    var names: [String] = []
    for word in words where !word.hasPrefix("-") {
      guard let child = children(node).first(where: { name($0) == word }) else {
        throw unknown(word, below: node, names)
      }
      names.append(word)
      node = child
    }
  }

  private static func unknown(
    _ word: String, below node: any ParsableCommand.Type, _ names: [String]
  ) -> Failure {
    Failure(
      .usage, "'\((["ftool"] + names).joined(separator: " "))' has no command '\(word)'",
      hint: choices(node))
  }

  private static func missing(
    below node: any ParsableCommand.Type, _ names: [String]
  ) -> Failure {
    Failure(
      .usage, "'\((["ftool"] + names).joined(separator: " "))' needs a command",
      hint: choices(node))
  }

  private static func choices(_ node: any ParsableCommand.Type) -> String {
    "there are " + children(node).map { name($0) }.joined(separator: ", ")
      + "; --help tells what they do"
  }
}
