/// Numbered fields in a row, in one direction or the other: a type says once which fields it has, and that
/// both writes and reads it.
///
/// ```
/// field := key value
/// key   := number << 2 | required << 1 | kind       as a varint
/// value := varint                                    kind 0: an integer
///        | varint byte count, so many bytes          kind 1: bytes, text or fields of its own
/// ```
///
/// A varint holds seven bits a byte, the lowest first; all bytes but the last have their high bit set. A
/// field that is left out is zero or empty; one that occurs again adds an element to a list. A reader skips
/// a field that it does not know, unless the field is required: then it refuses what it cannot understand.
package struct FieldCoder {
  private enum Direction {
    case writing
    case reading
  }

  private let direction: Direction
  /// What has been written.
  package private(set) var bytes: [UInt8] = []
  /// What was read and has not been asked for.
  private var fields: [Int: [Value]] = [:]
  private var required: Set<Int> = []

  private enum Value {
    case integer(UInt64)
    case bytes(ArraySlice<UInt8>)
  }

  /// Writes.
  package init() { direction = .writing }

  /// Reads all fields of the bytes.
  package init(reading bytes: ArraySlice<UInt8>) throws(FieldError) {
    direction = .reading
    var rest = bytes
    while !rest.isEmpty {
      let key = try Self.integer(from: &rest)
      guard key >> 2 <= UInt64(Self.highestNumber) else { throw .malformed }
      let number = Int(key >> 2)
      let value: Value
      if key & 1 == 0 {
        value = .integer(try Self.integer(from: &rest))
      } else {
        let count = try Self.integer(from: &rest)
        guard count <= UInt64(rest.count) else { throw .cutShort }
        value = .bytes(rest.prefix(Int(count)))
        rest = rest.dropFirst(Int(count))
      }
      fields[number, default: []].append(value)
      if key & 2 != 0 { required.insert(number) }
    }
  }

  private static let highestNumber = 4095

  /// Whether fields are read, and not written.
  package var isReading: Bool { direction == .reading }

  /// To be called when a type has taken its fields: what is left and required is not understood.
  package func finish() throws(FieldError) {
    if let unknown = required.first(where: { fields[$0] != nil }) { throw .unknown(unknown) }
  }

  // MARK: One field

  /// An integer; numbers below zero are written as their two's complement of 64 bits.
  package mutating func field<Number: FixedWidthInteger>(
    _ number: Int, _ value: inout Number, isOptional: Bool = false
  ) throws(FieldError) {
    switch direction {
    case .writing:
      if value == 0 { return }
      appendKey(number, isOptional, 0)
      append(UInt64(truncatingIfNeeded: value))
    case .reading:
      guard let found = try takeInteger(number) else {
        value = 0
        return
      }
      let converted = Number(truncatingIfNeeded: found)
      guard UInt64(truncatingIfNeeded: converted) == found else { throw .outOfRange(number) }
      value = converted
    }
  }

  /// An integer or nothing.
  package mutating func field<Number: FixedWidthInteger>(
    _ number: Int, _ value: inout Number?, isOptional: Bool = false
  ) throws(FieldError) {
    // Absent is 0, so that what is there must not be.
    var shifted: [UInt64] = value.map { [UInt64(truncatingIfNeeded: $0)] } ?? []
    try field(number, &shifted, isOptional: isOptional)
    guard isReading else { return }
    guard shifted.count <= 1 else { throw .outOfRange(number) }
    value = try shifted.first.map { (found) throws(FieldError) in
      let converted = Number(truncatingIfNeeded: found)
      guard UInt64(truncatingIfNeeded: converted) == found else { throw .outOfRange(number) }
      return converted
    }
  }

  package mutating func field(
    _ number: Int, _ value: inout Bool, isOptional: Bool = false
  ) throws(FieldError) {
    var integer: UInt8 = value ? 1 : 0
    try field(number, &integer, isOptional: isOptional)
    guard integer <= 1 else { throw .outOfRange(number) }
    value = integer == 1
  }

  /// A value that has a number.
  package mutating func field<Enumeration: RawRepresentable>(
    _ number: Int, _ value: inout Enumeration, isOptional: Bool = false
  ) throws(FieldError) where Enumeration.RawValue: FixedWidthInteger {
    var raw = value.rawValue
    try field(number, &raw, isOptional: isOptional)
    guard let known = Enumeration(rawValue: raw) else { throw .outOfRange(number) }
    value = known
  }

  package mutating func field(
    _ number: Int, _ value: inout [UInt8], isOptional: Bool = false
  ) throws(FieldError) {
    switch direction {
    case .writing:
      if value.isEmpty { return }
      appendKey(number, isOptional, 1)
      append(UInt64(value.count))
      bytes += value
    case .reading:
      let found = try takeBytes(number)
      guard found.count <= 1 else { throw .outOfRange(number) }
      value = found.first.map(Array.init) ?? []
    }
  }

  /// Text in UTF-8.
  package mutating func field(
    _ number: Int, _ value: inout String, isOptional: Bool = false
  ) throws(FieldError) {
    var bytes = Array(value.utf8)
    try field(number, &bytes, isOptional: isOptional)
    if isReading {
      guard let text = String(validating: bytes, as: UTF8.self) else { throw .outOfRange(number) }
      value = text
    }
  }

  /// A value with fields of its own.
  package mutating func field<Nested: FieldCoded>(
    _ number: Int, _ value: inout Nested, isOptional: Bool = false
  ) throws(FieldError) {
    var list = [value]
    try field(number, &list, isOptional: isOptional)
    guard list.count == 1 else { throw .outOfRange(number) }
    value = list[0]
  }

  /// Such a value or nothing.
  package mutating func field<Nested: FieldCoded>(
    _ number: Int, _ value: inout Nested?, isOptional: Bool = false
  ) throws(FieldError) {
    var list = value.map { [$0] } ?? []
    try field(number, &list, isOptional: isOptional)
    guard list.count <= 1 else { throw .outOfRange(number) }
    value = list.first
  }

  // MARK: Lists

  package mutating func field<Nested: FieldCoded>(
    _ number: Int, _ values: inout [Nested], isOptional: Bool = false
  ) throws(FieldError) {
    switch direction {
    case .writing:
      for index in values.indices {
        var coder = FieldCoder()
        try values[index].code(&coder)
        appendKey(number, isOptional, 1)
        append(UInt64(coder.bytes.count))
        bytes += coder.bytes
      }
    case .reading:
      values = []
      for part in try takeBytes(number) {
        var coder = try FieldCoder(reading: part)
        var value = Nested()
        try value.code(&coder)
        try coder.finish()
        values.append(value)
      }
    }
  }

  /// Integers, packed: varints in a row.
  package mutating func field(
    _ number: Int, _ values: inout [UInt64], isOptional: Bool = false
  ) throws(FieldError) {
    switch direction {
    case .writing:
      if values.isEmpty { return }
      var packed = FieldCoder()
      for value in values { packed.append(value) }
      appendKey(number, isOptional, 1)
      append(UInt64(packed.bytes.count))
      bytes += packed.bytes
    case .reading:
      values = []
      for part in try takeBytes(number) {
        var rest = part
        while !rest.isEmpty { values.append(try Self.integer(from: &rest)) }
      }
    }
  }

  package mutating func field(
    _ number: Int, _ values: inout [String], isOptional: Bool = false
  ) throws(FieldError) {
    switch direction {
    case .writing:
      for value in values {
        appendKey(number, isOptional, 1)
        append(UInt64(value.utf8.count))
        bytes += value.utf8
      }
    case .reading:
      values = try takeBytes(number).map { (part) throws(FieldError) in
        guard let text = String(validating: part, as: UTF8.self) else { throw .outOfRange(number) }
        return text
      }
    }
  }

  package mutating func field(
    _ number: Int, _ values: inout [[UInt8]], isOptional: Bool = false
  ) throws(FieldError) {
    switch direction {
    case .writing:
      for value in values {
        appendKey(number, isOptional, 1)
        append(UInt64(value.count))
        bytes += value
      }
    case .reading: values = try takeBytes(number).map(Array.init)
    }
  }

  // MARK: Bytes

  private mutating func appendKey(_ number: Int, _ isOptional: Bool, _ kind: UInt64) {
    precondition((1...Self.highestNumber).contains(number))
    append(UInt64(number) << 2 | (isOptional ? 0 : 2) | kind)
  }

  private mutating func append(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private static func integer(from rest: inout ArraySlice<UInt8>) throws(FieldError) -> UInt64 {
    var value: UInt64 = 0
    var shift = 0
    while true {
      guard let byte = rest.popFirst() else { throw .cutShort }
      // The tenth byte has room for one bit only.
      guard shift < 63 || byte <= 1 else { throw .malformed }
      value |= UInt64(byte & 0x7f) << UInt64(shift)
      if byte & 0x80 == 0 { return value }
      shift += 7
      guard shift <= 63 else { throw .malformed }
    }
  }

  private mutating func takeInteger(_ number: Int) throws(FieldError) -> UInt64? {
    guard let found = fields.removeValue(forKey: number) else { return nil }
    guard found.count == 1, case .integer(let value) = found[0] else { throw .outOfRange(number) }
    return value
  }

  private mutating func takeBytes(_ number: Int) throws(FieldError) -> [ArraySlice<UInt8>] {
    try (fields.removeValue(forKey: number) ?? []).map { (value) throws(FieldError) in
      guard case .bytes(let bytes) = value else { throw .outOfRange(number) }
      return bytes
    }
  }
}

/// A value that is written as numbered fields.
package protocol FieldCoded {
  /// With all fields zero or empty.
  init()
  /// Passes each of its fields to the coder, by numbers that never change their meaning.
  mutating func code(_ coder: inout FieldCoder) throws(FieldError)
}

extension FieldCoded {
  /// The fields as bytes.
  package func encoded() -> [UInt8] {
    var copy = self
    var coder = FieldCoder()
    do throws(FieldError) {
      try copy.code(&coder)
    } catch {
      preconditionFailure("writing fields refuses nothing")
    }
    return coder.bytes
  }

  /// From bytes that may be hostile.
  package init(decoding bytes: ArraySlice<UInt8>) throws(FieldError) {
    self.init()
    var coder = try FieldCoder(reading: bytes)
    try code(&coder)
    try coder.finish()
  }
}

/// Bytes that are no fields, or fields that mean nothing here.
package enum FieldError: Error, Equatable {
  /// They end within a field.
  case cutShort
  /// No writer makes such bytes.
  case malformed
  /// A field of this number holds what it cannot.
  case outOfRange(Int)
  /// A field that has to be understood, and is not known.
  case unknown(Int)
}
