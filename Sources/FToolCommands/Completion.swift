import ArgumentParser

/// `ftool completion SHELL`: the script that lets a shell complete ftool's commands and options.
package struct Completion: Verb {
  /// A shell that there is a script for.
  package enum Shell: String, CaseIterable, ExpressibleByArgument, Sendable {
    case bash, zsh, fish

    fileprivate var completionShell: CompletionShell {
      switch self {
      case .bash: .bash
      case .zsh: .zsh
      case .fish: .fish
      }
    }
  }

  package static let configuration = CommandConfiguration(
    commandName: "completion", abstract: "Write a completion script for a shell.")

  @Argument(help: "The shell: bash, zsh or fish.")
  package var shell: Shell

  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) -> ExitStatus {
    let script = FTool.completionScript(for: shell.completionShell)
    context.output.show(
      SimpleReport(
        type: "completion", script,
        json: ["shell": .string(shell.rawValue), "script": .string(script)]))
    return .done
  }
}
