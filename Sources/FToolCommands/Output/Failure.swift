import LinuxSystem

/// Why a command did not do what was asked, for a person and for a script.
///
/// The message names the thing (member, array, option) and says why: lower case, no full stop. The
/// hint says what to do about it.
package struct Failure: Error, Equatable, Sendable {
  /// What the process exits with.
  package var status: ExitStatus
  /// What went wrong, naming the thing and the reason.
  package var message: String
  /// What to do about it, where that is known.
  package var hint: String?
  /// What there is several of, each with its reason and the way out; the message says how many.
  package var particulars: [Particular] = []

  /// One of several things that are wrong.
  package struct Particular: Equatable, Sendable {
    /// The thing and the reason: lower case, no full stop.
    package var message: String
    /// What to do about it, where that is known.
    package var hint: String?

    /// One thing, its reason and the way out.
    package init(_ message: String, hint: String? = nil) {
      (self.message, self.hint) = (message, hint)
    }

    fileprivate var json: JSONValue {
      ["message": .string(message), "hint": .string(hint)]
    }
  }

  /// A failure with its status, its sentence and, where there is one, the way out.
  package init(_ status: ExitStatus, _ message: String, hint: String? = nil) {
    self.status = status
    self.message = message
    self.hint = hint
  }

  /// The end that SIGHUP, SIGINT or SIGTERM asked for. `resuming` says how to go on, where not by running
  /// the same command again.
  package static func interrupted(
    signal: Int32, resuming hint: String = "run the same command again: it goes on from there"
  ) -> Failure {
    Failure(.interrupted(signal: signal), "interrupted by signal \(signal)", hint: hint)
  }

  /// What reached the top: a system call's error has a sentence of its own; anything else a command
  /// should have turned into one.
  package init(unexpected error: any Error) {
    if let failure = error as? Failure {
      self = failure
    } else if let error = error as? SystemCallError {
      self.init(error)
    } else {
      self.init(
        .bug, "a bug in ftool: \(type(of: error)): \(error)",
        hint: "please report this with the command that you ran")
    }
  }
}

extension Failure {
  /// The lines for standard error.
  package func text(_ style: TextStyle) -> String {
    var lines = style.bad("ftool: error:") + " \(message)\n"
    for particular in particulars {
      lines += "  \(particular.message)\n"
      if let hint = particular.hint { lines += "    to do: \(hint)\n" }
    }
    if let hint { lines += "ftool: hint: \(hint)\n" }
    return lines
  }

  /// The object that stands for this failure under `--json`.
  package var json: JSONValue {
    let object: JSONValue = [
      "type": "error", "schema": .number(JSONValue.schema), "code": .number(status.code),
      "message": .string(message), "hint": .string(hint),
    ]
    if particulars.isEmpty { return object }
    return object.appending([JSONValue.Field("particulars", .array(particulars.map(\.json)))])
  }
}
