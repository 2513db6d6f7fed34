/// Reads a size as people write it: `512`, `64K`, `1M`, `1.5G`, `8KiB`, `1kB`, `2048s`.
///
/// A letter alone and `KiB`, `MiB`, … count in powers of 1024, `kB`, `MB`, … in powers of 1000, `s` in
/// sectors of 512 bytes. Nil for what is none of these, is no whole number of bytes, or is too large.
package func parseByteCount(_ text: String) -> Int? {
  let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
  guard let unit = unitByteCount(text.dropFirst(number.count)) else { return nil }
  let parts = number.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
  guard let first = parts.first, let whole = Int(first) else { return nil }
  let (product, overflow) = whole.multipliedReportingOverflow(by: unit)
  if overflow { return nil }
  guard parts.count == 2 else { return product }
  guard let fraction = fractionOfUnit(parts[1], unit) else { return nil }
  let (sum, tooLarge) = product.addingReportingOverflow(fraction)
  return tooLarge ? nil : sum
}

/// The bytes of a unit; nil when there is no such unit.
private func unitByteCount(_ unit: Substring) -> Int? {
  switch unit {
  case "", "B": return 1
  case "s": return 512
  default: break
  }
  guard let letter = unit.first, letter.isASCII,
    let power = "KMGTPE".firstIndex(of: Character(letter.uppercased()))
  else { return nil }
  let exponent = "KMGTPE".distance(from: "KMGTPE".startIndex, to: power) + 1
  switch unit.dropFirst() {
  case "", "iB", "ib": return 1 << (10 * exponent)
  case "B": return (0..<exponent).reduce(1) { product, _ in product * 1000 }
  default: return nil
  }
}

/// What `.5` is of a unit; nil when it is no whole number of bytes.
private func fractionOfUnit(_ digits: Substring, _ unit: Int) -> Int? {
  guard !digits.isEmpty, digits.count <= 15, let numerator = Int(digits) else { return nil }
  let denominator = digits.reduce(1) { product, _ in product * 10 }
  let (high, low) = numerator.multipliedFullWidth(by: unit)
  let (quotient, remainder) = denominator.dividingFullWidth((high, low))
  return remainder == 0 ? quotient : nil
}
