import FToolTestSupport
import FoundationEssentials

/// The commands and options of ftool, as it tells them itself.
struct CommandTree: Decodable {
  let command: Command

  /// A command, its options and operands, and what is below it.
  struct Command: Decodable {
    let commandName: String
    let arguments: [Argument]?
    let subcommands: [Command]?

    /// The commands below it, without the parser's own `help`.
    var children: [Command] { (subcommands ?? []).filter { $0.commandName != "help" } }

    /// The names of the options, with their dashes.
    var optionNames: Set<String> {
      Set((arguments ?? []).flatMap { ($0.names ?? []).map(\.spelling) })
    }

    /// All options below it, too.
    var allOptionNames: Set<String> {
      children.reduce(optionNames) { $0.union($1.allOptionNames) }
    }
  }

  /// An option or an operand.
  struct Argument: Decodable {
    let kind: String
    let names: [Name]?
    let allValues: [String]?
  }

  /// How an option is spelled.
  struct Name: Decodable {
    let kind: String
    let name: String
    var spelling: String { (kind == "long" ? "--" : "-") + name }
  }

  /// Asks the built program.
  static func ofBuiltTool() throws -> CommandTree {
    let text = try BuiltToolText.of("--experimental-dump-help")
    return try JSONDecoder().decode(CommandTree.self, from: Data(text.utf8))
  }

  /// All commands with the names of their pages: `ftool`, `ftool-raid`, `ftool-raid-create`, …
  var pages: [String: Command] {
    var pages: [String: Command] = [:]
    func add(_ command: Command, _ prefix: String) {
      let name = prefix + command.commandName
      pages[name] = command
      for child in command.children { add(child, name + "-") }
    }
    add(command, "")
    return pages
  }
}

/// What the built program says to one word.
enum BuiltToolText {
  static func of(_ argument: String) throws -> String {
    try BuiltTool.run([argument]).outputText
  }
}
