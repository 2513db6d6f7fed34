// The kernel for processors of which we know nothing: eight bytes at a time, by eight tables. Table t holds the register
// after a byte and t zero bytes, so the eight bytes of a word are looked up apart and added.

/// The remainder's polynomial, bits reflected.
private let polynomial: UInt32 = 0x82f6_3b78

private let tables: [2048 of UInt32] = {
  var tables = [2048 of UInt32](repeating: 0)
  for byte in 0..<256 {
    var register = UInt32(byte)
    for _ in 0..<8 { register = register >> 1 ^ (register & 1 == 1 ? polynomial : 0) }
    tables[byte] = register
  }
  for index in 256..<2048 {
    let previous = tables[index - 256]
    tables[index] = previous >> 8 ^ tables[Int(previous & 0xff)]
  }
  return tables
}()

func portableRegister(after value: UInt64, from register: UInt32) -> UInt32 {
  let word = value ^ UInt64(register)
  var sum: UInt32 = 0
  for byte in 0..<8 {
    sum ^= tables[(7 - byte) << 8 | Int(truncatingIfNeeded: word >> (8 * byte) & 0xff)]
  }
  return sum
}

func portableRegister(after bytes: RawSpan, from register: UInt32) -> UInt32 {
  var register = register
  var offset = 0
  while offset + 8 <= bytes.byteCount {
    // Eight bytes lie there, and any bits are an integer.
    let word = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
    register = portableRegister(after: UInt64(littleEndian: word), from: register)
    offset += 8
  }
  while offset < bytes.byteCount {
    let byte = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt8.self)
    register = register >> 8 ^ tables[Int(truncatingIfNeeded: register & 0xff) ^ Int(byte)]
    offset += 1
  }
  return register
}
