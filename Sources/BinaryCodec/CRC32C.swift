/// The CRC32C (Castagnoli) of `bytes`.
package func crc32c(_ bytes: RawSpan) -> UInt32 {
  var crc = CRC32C()
  crc.update(bytes)
  return crc.value
}

/// A CRC32C in progress. Slow and plain: one bit at a time.
package struct CRC32C {
  /// The shift register, not inverted.
  package private(set) var register: UInt32

  /// A register of all ones, as the standard checksum begins.
  package init() { register = .max }

  /// A register that goes on from an earlier one.
  package init(register: UInt32) { self.register = register }

  package mutating func update(_ bytes: RawSpan) {
    for offset in 0..<bytes.byteCount {
      register ^= UInt32(bytes.integer(at: offset, as: UInt8.self))
      for _ in 0..<8 { register = register >> 1 ^ (register & 1 == 1 ? 0x82f6_3b78 : 0) }
    }
  }

  package mutating func update(_ value: UInt64) {
    for shift in 0..<UInt64(8) {
      register ^= UInt32(UInt8(truncatingIfNeeded: value >> (shift * 8)))
      for _ in 0..<8 { register = register >> 1 ^ (register & 1 == 1 ? 0x82f6_3b78 : 0) }
    }
  }

  /// The finished checksum: the register inverted.
  package var value: UInt32 { ~register }
}
