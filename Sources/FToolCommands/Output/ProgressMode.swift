import ArgumentParser

/// How progress is shown on standard error.
package enum ProgressMode: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// A bar on a terminal, else nothing.
  case auto
  /// A line that is drawn again and again, with rate and time left.
  case bar
  /// A line each few percent.
  case plain
  /// A JSON object a second.
  case json
  /// Nothing, unless SIGUSR1 asks.
  case none

  /// What `auto` means where the messages go.
  package func resolved(isTerminal: Bool, isQuiet: Bool) -> ProgressMode {
    switch self {
    case .auto: isQuiet || !isTerminal ? .none : .bar
    case .bar, .plain, .json, .none: self
    }
  }
}
