/// Reads a size: `512 64K 1M 4G 1T` and `KiB MiB GiB TiB` are powers of 1024, `kB MB GB TB` powers
/// of 1000, and `s` counts sectors of 512 bytes.
func parseSize(_ text: String) throws(InvalidValue) -> UInt64 {
  let digits = text.prefix { $0.isASCII && $0.isNumber }
  let expected = InvalidValue("a size is a whole number, with K, M, G, T, KiB, kB, … or s behind it")
  guard let count = UInt64(digits) else { throw expected }
  let units: [Substring: UInt64] = [
    "": 1, "B": 1, "s": 512,
    "K": 1 << 10, "KiB": 1 << 10, "k": 1 << 10, "M": 1 << 20, "MiB": 1 << 20,
    "G": 1 << 30, "GiB": 1 << 30, "T": 1 << 40, "TiB": 1 << 40, "P": 1 << 50, "PiB": 1 << 50,
    "kB": 1000, "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000,
    "PB": 1_000_000_000_000_000,
  ]
  guard let unit = units[text.dropFirst(digits.count)] else { throw expected }
  let (bytes, overflow) = count.multipliedReportingOverflow(by: unit)
  guard !overflow, bytes <= UInt64(Int64.max) else {
    throw InvalidValue("the size is larger than any file can be")
  }
  return bytes
}

/// Reads a size that is not zero.
func parsePositiveSize(_ text: String) throws(InvalidValue) -> UInt64 {
  let bytes = try parseSize(text)
  guard bytes > 0 else { throw InvalidValue("0 is not a size to work with") }
  return bytes
}

/// Reads bytes per second: a size, with `/s` behind it or not.
func parseRate(_ text: String) throws(InvalidValue) -> UInt64 {
  let size = text.hasSuffix("/s") ? String(text.dropLast(2)) : text
  return try parsePositiveSize(size)
}
