import ArgumentParser

/// `ftool version`: which ftool this is.
package struct Version: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "version", abstract: "Show the version of ftool.")

  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) -> ExitStatus {
    context.output.show(Self.report)
    return .done
  }

  /// What `--version` says, too.
  static var report: SimpleReport {
    SimpleReport(
      type: "version", "ftool \(FTool.version)", json: ["version": .string(FTool.version)])
  }
}
