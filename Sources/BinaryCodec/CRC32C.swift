import CKernels

/// CRC-32C (Castagnoli), as in RFC 3720 appendix B.4: the register starts at all ones and is inverted at the end.
package func crc32c(_ bytes: RawSpan) -> UInt32 {
  var checksum = CRC32C()
  checksum.update(bytes)
  return checksum.value
}

/// A CRC-32C that is fed piece by piece.
package struct CRC32C: Sendable {
  /// The raw register, before the final inversion.
  package private(set) var register: UInt32

  /// The checksum of no bytes yet.
  package init() { register = ~0 }

  /// Goes on from a register that was read from another.
  package init(register: UInt32) { self.register = register }

  /// The checksum of all bytes fed so far.
  package var value: UInt32 { ~register }

  /// Feeds these bytes.
  package mutating func update(_ bytes: RawSpan) {
    register = ChecksumLevel.best.register(after: bytes, from: register)
  }

  /// Feeds the eight bytes of `value`, the lowest first.
  package mutating func update(_ value: UInt64) {
    register = ChecksumLevel.best.register(after: value, from: register)
  }
}

/// The kernels for checksums, slowest first. The processor is asked once; tests take each level that it has.
package enum ChecksumLevel: Int, CaseIterable, Sendable {
  case portable, sse42, avx2, avx512

  /// The best one that this processor can run.
  package static let best: ChecksumLevel = {
    #if arch(x86_64)
      ChecksumLevel(rawValue: Int(ckernels_checksum_level())) ?? .portable
    #else
      .portable
    #endif
  }()

  /// All that this processor can run.
  package static var available: [ChecksumLevel] { allCases.filter { $0.rawValue <= best.rawValue } }

  /// The raw register, without the final inversion, after these bytes.
  package func register(after bytes: RawSpan, from register: UInt32) -> UInt32 {
    #if arch(x86_64)
      if self != .portable {
        // The kernels read `byteCount` bytes from the pointer, no more, and keep nothing.
        return unsafe bytes.withUnsafeBytes { buffer in
          guard let base = buffer.baseAddress, buffer.count > 0 else { return register }
          let start = unsafe base.assumingMemoryBound(to: UInt8.self)
          return switch self {
          case .portable, .sse42: unsafe ckernels_crc32c_sse42(register, start, buffer.count)
          case .avx2: unsafe ckernels_crc32c_avx2(register, start, buffer.count)
          case .avx512: unsafe ckernels_crc32c_avx512(register, start, buffer.count)
          }
        }
      }
    #endif
    return portableRegister(after: bytes, from: register)
  }

  func register(after value: UInt64, from register: UInt32) -> UInt32 {
    #if arch(x86_64)
      if self != .portable { return ckernels_crc32c_word(register, value) }
    #endif
    return portableRegister(after: value, from: register)
  }
}
