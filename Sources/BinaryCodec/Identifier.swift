/// 128 bits that name an array or a device, usually chosen at random.
///
/// Kept as bytes in the order in which they are on disk. `description` is mdadm's spelling,
/// four groups of eight digits in that order; `dashed` is that of everybody else.
package struct Identifier: Hashable, Sendable, CustomStringConvertible {
  /// Bytes 0...7, the first in the low bits.
  private let first: UInt64
  /// Bytes 8...15.
  private let second: UInt64

  /// Sixteen zero bytes: no name.
  package static let zero = Identifier(first: 0, second: 0)

  private init(first: UInt64, second: UInt64) {
    self.first = first
    self.second = second
  }

  /// The 16 bytes from `offset` on.
  package init(bytes: RawSpan, at offset: Int = 0) {
    first = bytes.integer(at: offset)
    second = bytes.integer(at: offset + 8)
  }

  /// The identifier whose text is `aabbccdd:eeff0011:22334455:66778899`,
  /// `aabbccdd-eeff-0011-2233-445566778899` or the 32 digits alone, in either case of letters.
  package init?(_ text: String) {
    var digits: [UInt8] = []
    var separators: [Int: UInt8] = [:]  // how many digits stand before it, and what it is
    for character in text.utf8 {
      if let digit = Self.digit(character) {
        guard digits.count < 32 else { return nil }
        digits.append(digit)
      } else {
        guard separators.updateValue(character, forKey: digits.count) == nil else { return nil }
      }
    }
    let colon = UInt8(ascii: ":")
    let dash = UInt8(ascii: "-")
    let spellings: [[Int: UInt8]] = [
      [:], [8: colon, 16: colon, 24: colon], [8: dash, 12: dash, 16: dash, 20: dash],
    ]
    guard digits.count == 32, spellings.contains(separators) else { return nil }
    func word(_ range: Range<Int>) -> UInt64 {
      digits[range].reduce(0) { $0 << 4 | UInt64($1) }.byteSwapped
    }
    self.init(first: word(0..<16), second: word(16..<32))
  }

  /// A new name.
  package static func random(using random: inout some RandomNumberGenerator) -> Identifier {
    Identifier(first: random.next(), second: random.next())
  }

  /// Writes the 16 bytes to `offset` and on.
  package func store(in block: inout MutableRawSpan, at offset: Int) {
    block.store(first, at: offset)
    block.store(second, at: offset + 8)
  }

  /// The 16 bytes in order.
  package var bytes: [UInt8] {
    (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? first : second) >> UInt64($0 % 8 * 8)) }
  }

  /// The same with the bytes of each of the four 32-bit words turned round. Linux md's metadata
  /// 0.90 keeps its identifier as words, and mdadm prints words; a 0.90 array's bitmap has bytes.
  package var wordSwapped: Identifier {
    func swap(_ pair: UInt64) -> UInt64 { pair.byteSwapped << 32 | pair.byteSwapped >> 32 }
    return Identifier(first: swap(first), second: swap(second))
  }

  /// mdadm's spelling: `aabbccdd:eeff0011:22334455:66778899`.
  package var description: String { text(separator: ":", before: [4, 8, 12]) }

  /// The usual spelling of a UUID: `aabbccdd-eeff-0011-2233-445566778899`.
  package var dashed: String { text(separator: "-", before: [4, 6, 8, 10]) }

  private func text(separator: Character, before places: [Int]) -> String {
    var text = ""
    for (index, byte) in bytes.enumerated() {
      if places.contains(index) { text.append(separator) }
      if byte < 16 { text.append("0") }
      text += String(byte, radix: 16)
    }
    return text
  }

  private static func digit(_ character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
