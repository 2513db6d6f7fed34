/// A count of bytes as people read it: powers of 1024 with their full names.
package struct ByteSize: Equatable, Sendable, CustomStringConvertible {
  /// The exact count.
  package var byteCount: UInt64

  /// So many bytes.
  package init(_ byteCount: some BinaryInteger) { self.byteCount = UInt64(byteCount) }

  /// `512 B`, `4 KiB`, `1.5 GiB`: one digit behind the point, and none where it would be 0.
  package var description: String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var unit = 0
    while unit + 1 < units.count, byteCount >> (10 * UInt64(unit + 1)) > 0 { unit += 1 }
    guard unit > 0 else { return "\(byteCount) B" }
    var tenths = Self.tenths(byteCount, shift: 10 * UInt64(unit))
    if tenths >= 10_240, unit + 1 < units.count {  // 1023.96 KiB is 1 MiB when rounded
      unit += 1
      tenths = 10
    }
    let fraction = tenths % 10 == 0 ? "" : ".\(tenths % 10)"
    return "\(tenths / 10)\(fraction) \(units[unit])"
  }

  /// The same with the exact count behind it, where that says more: `1.5 GiB (1610612736 bytes)`.
  package var exactDescription: String {
    byteCount < 1024 ? "\(byteCount) bytes" : "\(description) (\(byteCount) bytes)"
  }

  private static func tenths(_ value: UInt64, shift: UInt64) -> UInt64 {
    let whole = value >> shift
    let rest = value & ((1 << shift) - 1)
    // Of the rest only the highest 32 bits matter; so nothing overflows up to 16 EiB.
    let scaled = shift > 32 ? rest >> (shift - 32) : rest
    let bits = min(shift, 32)
    return whole * 10 + (scaled * 10 + (1 << (bits - 1))) >> bits
  }
}
