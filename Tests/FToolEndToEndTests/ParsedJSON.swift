/// A JSON value read back from what ftool wrote: strictly, so that reading it is a test already.
enum ParsedJSON: Equatable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([ParsedJSON])
  case object([String: ParsedJSON])

  struct Malformed: Error { let position: Int }

  /// One value and nothing behind it but a line end.
  init(_ text: String) throws {
    var reader = Reader(bytes: Array(text.utf8))
    self = try reader.value()
    while reader.position < reader.bytes.count {
      guard reader.bytes[reader.position] == UInt8(ascii: "\n") else {
        throw Malformed(position: reader.position)
      }
      reader.position += 1
    }
  }

  /// A field; null where there is none.
  subscript(name: String) -> ParsedJSON {
    if case .object(let fields) = self { fields[name] ?? .null } else { .null }
  }

  /// An element; null where there is none.
  subscript(index: Int) -> ParsedJSON {
    if case .array(let values) = self, values.indices.contains(index) {
      values[index]
    } else {
      .null
    }
  }

  var number: Double? { if case .number(let value) = self { value } else { nil } }
  var string: String? { if case .string(let value) = self { value } else { nil } }
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  var elements: [ParsedJSON] { if case .array(let values) = self { values } else { [] } }
  /// Whether an object has this field, null or not.
  func has(_ name: String) -> Bool {
    if case .object(let fields) = self { fields[name] != nil } else { false }
  }

  private struct Reader {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func value() throws -> ParsedJSON {
      switch try peek() {
      case UInt8(ascii: "{"): return try object()
      case UInt8(ascii: "["): return try array()
      case UInt8(ascii: "\""): return .string(try string())
      case UInt8(ascii: "t"): try word("true"); return .bool(true)
      case UInt8(ascii: "f"): try word("false"); return .bool(false)
      case UInt8(ascii: "n"): try word("null"); return .null
      default: return .number(try number())
      }
    }

    private func peek() throws -> UInt8 {
      guard position < bytes.count else { throw Malformed(position: position) }
      return bytes[position]
    }

    private mutating func take(_ byte: Character) throws {
      guard let ascii = byte.asciiValue, try peek() == ascii else {
        throw Malformed(position: position)
      }
      position += 1
    }

    private mutating func word(_ word: String) throws {
      for character in word { try take(character) }
    }

    private mutating func object() throws -> ParsedJSON {
      try take("{")
      var fields: [String: ParsedJSON] = [:]
      while try peek() != UInt8(ascii: "}") {
        if !fields.isEmpty { try take(",") }
        let name = try string()
        try take(":")
        // A name that is there twice is nothing that a script could read.
        guard fields.updateValue(try value(), forKey: name) == nil else {
          throw Malformed(position: position)
        }
      }
      try take("}")
      return .object(fields)
    }

    private mutating func array() throws -> ParsedJSON {
      try take("[")
      var values: [ParsedJSON] = []
      while try peek() != UInt8(ascii: "]") {
        if !values.isEmpty { try take(",") }
        values.append(try value())
      }
      try take("]")
      return .array(values)
    }

    private mutating func number() throws -> Double {
      let start = position
      while position < bytes.count, "+-.0123456789eE".utf8.contains(bytes[position]) {
        position += 1
      }
      guard let value = Double(String(decoding: bytes[start..<position], as: UTF8.self)) else {
        throw Malformed(position: start)
      }
      return value
    }

    private mutating func string() throws -> String {
      try take("\"")
      var text: [UInt8] = []
      while try peek() != UInt8(ascii: "\"") {
        var byte = bytes[position]
        position += 1
        guard byte >= 0x20 else { throw Malformed(position: position) }
        if byte == UInt8(ascii: "\\") {
          byte = try escaped()
        }
        text.append(byte)
      }
      try take("\"")
      return String(decoding: text, as: UTF8.self)
    }

    private mutating func escaped() throws -> UInt8 {
      let byte = try peek()
      position += 1
      switch byte {
      case UInt8(ascii: "n"): return 0x0a
      case UInt8(ascii: "r"): return 0x0d
      case UInt8(ascii: "t"): return 0x09
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return byte
      case UInt8(ascii: "u"):
        let digits = String(decoding: bytes[position...].prefix(4), as: UTF8.self)
        position += 4
        guard let value = UInt8(digits, radix: 16) else { throw Malformed(position: position) }
        return value
      default: throw Malformed(position: position)
      }
    }
  }
}
