/// Sixteen bytes that name an array or a member, in either of the usual spellings.
package struct UUIDChoice: Equatable, Sendable {
  /// The bytes in the order of their digits.
  package let bytes: [UInt8]

  /// Reads 32 hexadecimal digits, with `:` or `-` between them where people put them.
  init(parsing text: String) throws(InvalidValue) {
    let digits = text.filter { $0 != ":" && $0 != "-" }
    guard digits.count == 32, digits.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
      throw InvalidValue("a UUID has 32 hexadecimal digits")
    }
    let values = digits.map { UInt8($0.hexDigitValue ?? 0) }
    bytes = stride(from: 0, to: 32, by: 2).map { values[$0] << 4 | values[$0 + 1] }
  }
}
