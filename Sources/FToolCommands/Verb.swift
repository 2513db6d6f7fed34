import ArgumentParser

/// A command that does something: the leaf of the tree.
///
/// The parser fills in the options; `perform` does the work with what the context offers, and
/// returns how it ended or throws. A `Failure` is shown as it is; anything else is a bug.
package protocol Verb: ParsableCommand {
  /// The options that every command has.
  var global: GlobalOptions { get }

  /// Whether bytes of an array go to standard output, so that the result cannot.
  var writesDataToStandardOutput: Bool { get }

  /// Does the work.
  func perform(_ context: CommandContext) throws -> ExitStatus
}

extension Verb {
  package var writesDataToStandardOutput: Bool { false }
}
