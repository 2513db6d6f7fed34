/// The result of a command: one value, shown as text or as JSON.
package protocol Report: Sendable {
  /// What the JSON object calls itself in `"type"`, such as `raid-status`.
  var type: String { get }

  /// The value for people. It ends with a line end, unless it is empty.
  func text(_ style: TextStyle) -> String

  /// The value for scripts: an object without `type` and `schema`, which are put in front.
  var json: JSONValue { get }
}

extension Report {
  /// The whole object: type and schema first.
  package var jsonObject: JSONValue {
    json.prefixed(with: [
      .init("type", .string(type)), .init("schema", .number(JSONValue.schema)),
    ])
  }
}

/// A result that is nothing but fields and a text: for commands with little to say.
package struct SimpleReport: Report {
  /// The value of the object's `type`, which scripts tell results apart by.
  package let type: String
  private let lines: String
  /// The fields that follow `type` and `schema`: an object.
  package let json: JSONValue

  /// A text, whose line end is added where it is missing, and the same as fields.
  package init(type: String, _ text: String, json: JSONValue) {
    self.type = type
    lines = text.isEmpty || text.hasSuffix("\n") ? text : text + "\n"
    self.json = json
  }

  package func text(_ style: TextStyle) -> String { lines }
}
