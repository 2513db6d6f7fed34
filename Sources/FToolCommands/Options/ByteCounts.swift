import BlockStorage

/// Reads a size: `512 64K 1M 4G 1T` and `KiB MiB GiB TiB` are powers of 1024, `kB MB GB TB` powers
/// of 1000, and `s` counts sectors of 512 bytes.
func parseSize(_ text: String) throws(InvalidValue) -> Int {
  guard let bytes = parseByteCount(text) else {
    let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    if Double(number) != nil, parseByteCount("1" + text.dropFirst(number.count)) != nil {
      throw InvalidValue("that is too large, or no whole number of bytes")
    }
    throw InvalidValue("a size is a number, with K, M, G, T, KiB, kB, … or s behind it")
  }
  return bytes
}

/// Reads a size that is not zero.
func parsePositiveSize(_ text: String) throws(InvalidValue) -> Int {
  let bytes = try parseSize(text)
  guard bytes > 0 else { throw InvalidValue("0 is not a size to work with") }
  return bytes
}

/// Reads bytes per second: a size, with `/s` behind it or not.
func parseRate(_ text: String) throws(InvalidValue) -> Int {
  let size = text.hasSuffix("/s") ? String(text.dropLast(2)) : text
  return try parsePositiveSize(size)
}
