/// A JSON value whose objects keep the order of their fields, and the text of it on one line.
package enum JSONValue: Equatable, Sendable {
  /// `null`: known to be absent.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A whole number, written exactly.
  case integer(Int64)
  /// A whole number that may not fit a signed one, such as an event count.
  case unsigned(UInt64)
  /// A fraction; one that JSON cannot say (infinity) is written as null.
  case fraction(Double)
  /// Text.
  case string(String)
  /// Values in their order.
  case array([JSONValue])
  /// Fields in their order.
  case object([Field])

  /// A name and its value.
  package struct Field: Equatable, Sendable {
    /// The name, in snake case.
    package var name: String
    /// What stands behind it.
    package var value: JSONValue

    /// A field of an object.
    package init(_ name: String, _ value: JSONValue) {
      self.name = name
      self.value = value
    }
  }

  /// The version of all that ftool writes as JSON: fields are only ever added to it.
  package static let schema = 1

  /// Any whole number.
  package static func number(_ value: some BinaryInteger) -> JSONValue {
    if let value = Int64(exactly: value) { .integer(value) } else { .unsigned(UInt64(value)) }
  }

  /// A number that may be missing.
  package static func number(_ value: (some BinaryInteger)?) -> JSONValue {
    value.map { number($0) } ?? .null
  }

  /// Text that may be missing.
  package static func string(_ value: String?) -> JSONValue {
    value.map { .string($0) } ?? .null
  }

  /// A time as RFC 3339 in UTC.
  package static func time(_ time: UTCTime) -> JSONValue { .string(time.rfc3339) }

  /// This object with more fields in front. Only objects have fields.
  package func prefixed(with fields: [Field]) -> JSONValue {
    guard case .object(let own) = self else { preconditionFailure("only objects have fields") }
    return .object(fields + own)
  }

  /// This object with more fields behind. Only objects have fields.
  package func appending(_ fields: [Field]) -> JSONValue {
    guard case .object(let own) = self else { preconditionFailure("only objects have fields") }
    return .object(own + fields)
  }

  /// The value on one line, without a line end.
  package var text: String {
    var text = ""
    append(to: &text)
    return text
  }

  private func append(to text: inout String) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .unsigned(let value): text += String(value)
    case .fraction(let value): text += value.isFinite ? "\(value)" : "null"
    case .string(let value): Self.append(quoted: value, to: &text)
    case .array(let values):
      text += "["
      for (index, value) in values.enumerated() {
        if index > 0 { text += "," }
        value.append(to: &text)
      }
      text += "]"
    case .object(let fields):
      text += "{"
      for (index, field) in fields.enumerated() {
        if index > 0 { text += "," }
        Self.append(quoted: field.name, to: &text)
        text += ":"
        field.value.append(to: &text)
      }
      text += "}"
    }
  }

  private static func append(quoted string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{0}"..<" ", "\u{7F}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(integerLiteral value: Int64) { self = .integer(value) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(nilLiteral: ()) { self = .null }
  package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(elements.map { Field($0.0, $0.1) })
  }
}
