import LinuxSystem

/// SHA-256 (FIPS 180-4), for tests that compare much data by little.
package struct SHA256: Sendable {
  private var state: [UInt32] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a,
    0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
  ]
  private var pending: [UInt8] = []
  private var byteCount: UInt64 = 0

  package init() {}

  /// The sum of these bytes, in hexadecimal.
  package static func of(_ bytes: [UInt8]) -> String {
    var sum = SHA256()
    sum.update(bytes)
    return sum.finish()
  }

  /// The sum of a file's bytes.
  package static func ofFile(_ path: String) throws -> String {
    let file = try OwnedDescriptor.open(path, access: .readOnly)
    var buffer = AlignedBuffer(byteCount: 1 << 20)
    var sum = SHA256()
    var offset = 0
    while true {
      var span = buffer.mutableBytes
      let count = try file.read(into: &span, range: 0..<span.byteCount, at: offset)
      if count == 0 { return sum.finish() }
      sum.update(Array(buffer.array.prefix(count)))
      offset += count
    }
  }

  package mutating func update(_ bytes: [UInt8]) {
    byteCount += UInt64(bytes.count)
    pending.append(contentsOf: bytes)
    let whole = pending.count / 64 * 64
    pending.withUnsafeBufferPointer { pointer in
      for block in stride(from: 0, to: whole, by: 64) { compress(&state, pointer, block) }
    }
    pending.removeFirst(whole)
  }

  package mutating func finish() -> String {
    let bitCount = byteCount * 8
    let padding = (119 - Int(byteCount % 64)) % 64
    update(
      [0x80] + [UInt8](repeating: 0, count: padding)
        + (0..<8).map { UInt8(truncatingIfNeeded: bitCount >> (56 - 8 * UInt64($0))) })
    return state.map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }

  private static let constants: [UInt32] = roots(of: primes(64))

  /// The first 32 bits of the fractions of cube roots, by integers alone.
  private static func roots(of primes: [UInt64]) -> [UInt32] {
    primes.map { prime in
      // The largest r with r^3 <= prime * 2^96, modulo 2^32, by bisection on 2^32 * cube root.
      var low: UInt64 = 0
      var high: UInt64 = 8 << 32
      while high - low > 1 {
        let middle = (low + high) / 2
        if cube(middle, isAtMost: prime) { low = middle } else { high = middle }
      }
      return UInt32(truncatingIfNeeded: low)
    }
  }

  /// Whether value^3 <= limit * 2^96.
  private static func cube(_ value: UInt64, isAtMost limit: UInt64) -> Bool {
    let wide = UInt128(value) * UInt128(value)  // below 2^70
    // wide * value < 2^105: fits.
    return wide * UInt128(value) <= UInt128(limit) << 96
  }

  private static func primes(_ count: Int) -> [UInt64] {
    var primes: [UInt64] = []
    var candidate: UInt64 = 2
    while primes.count < count {
      if primes.allSatisfy({ candidate % $0 != 0 }) { primes.append(candidate) }
      candidate += 1
    }
    return primes
  }

  private func compress(
    _ state: inout [UInt32], _ bytes: UnsafeBufferPointer<UInt8>, _ start: Int
  ) {
    func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 { word >> count | word << (32 - count) }
    let constants = Self.constants
    var schedule = [UInt32](repeating: 0, count: 64)
    for index in 0..<16 {
      let at = start + 4 * index
      schedule[index] =
        UInt32(bytes[at]) << 24 | UInt32(bytes[at + 1]) << 16 | UInt32(bytes[at + 2]) << 8
        | UInt32(bytes[at + 3])
    }
    for index in 16..<64 {
      let early = schedule[index - 15]
      let late = schedule[index - 2]
      let small = rotate(early, 7) ^ rotate(early, 18) ^ early >> 3
      let large = rotate(late, 17) ^ rotate(late, 19) ^ late >> 10
      schedule[index] = schedule[index - 16] &+ small &+ schedule[index - 7] &+ large
    }
    var (a, b, c, d) = (state[0], state[1], state[2], state[3])
    var (e, f, g, h) = (state[4], state[5], state[6], state[7])
    for index in 0..<64 {
      let choice = e & f ^ ~e & g
      let majority = a & b ^ a & c ^ b & c
      let first =
        h &+ (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) &+ choice
        &+ constants[index] &+ schedule[index]
      let second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) &+ majority
      (h, g, f, e, d, c, b, a) = (g, f, e, d &+ first, c, b, a, first &+ second)
    }
    for (index, word) in [a, b, c, d, e, f, g, h].enumerated() { state[index] &+= word }
  }
}
