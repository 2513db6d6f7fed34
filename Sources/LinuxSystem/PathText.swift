/// Paths and names are bytes to the kernel, and text here.
///
/// A byte that is no part of UTF-8 stands in the text as the character U+10FF00 plus its value, U+10FF80 to U+10FFFF,
/// which nobody may use for anything (they are private ones). Where these themselves are found, each of their bytes
/// stands for itself in this way. So every name has one text, and every text one name.
extension String {
  /// A name as the kernel has it.
  package init(pathBytes bytes: some Collection<UInt8>) {
    if let text = String(validating: bytes, as: UTF8.self), !text.hasEscapedBytes {
      self = text
      return
    }
    self = ""
    var rest = Array(bytes)[...]
    while let first = rest.first {
      let count = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
      if let character = String(validating: rest.prefix(count), as: UTF8.self),
        character.unicodeScalars.count == 1, !character.hasEscapedBytes
      {
        self += character
        rest = rest.dropFirst(count)
      } else {
        unicodeScalars.append(Unicode.Scalar(Self.escape + UInt32(first))!)
        rest = rest.dropFirst()
      }
    }
  }

  /// The name, as the kernel wants it.
  package var pathBytes: [UInt8] {
    guard hasEscapedBytes else { return Array(utf8) }
    return unicodeScalars.flatMap { scalar in
      scalar.value >= Self.escape + 0x80 ? [UInt8(scalar.value - Self.escape)] : Array(scalar.utf8)
    }
  }

  /// For people: bytes that are no UTF-8 as `\xff`.
  package var withReadableBytes: String {
    guard hasEscapedBytes else { return self }
    var text = ""
    for scalar in unicodeScalars {
      if scalar.value >= Self.escape + 0x80 {
        text += "\\x" + String(scalar.value - Self.escape, radix: 16)
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }

  var hasEscapedBytes: Bool {
    // The first byte of the last plane's characters.
    utf8.contains(0xf4) && unicodeScalars.contains { $0.value >= Self.escape + 0x80 }
  }

  private static let escape: UInt32 = 0x10ff00
}
