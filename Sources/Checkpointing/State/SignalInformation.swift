/// What is known of one signal that waits: the bytes of a siginfo_t (include/uapi/asm-generic/siginfo.h). They may come
/// from an image: what is missing counts as zero.
struct SignalInformation {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// si_signo
  var signal: Int32 { number(at: 0) }
  /// si_code
  var code: Int32 { number(at: 8) }
  /// The timer of timer_create(2) that sent it (si_timerid), if one did.
  var timer: Int32? { code == Code.timer ? number(at: 16) : nil }

  enum Code {
    /// SI_KERNEL
    static let kernel: Int32 = 0x80
    /// SI_TIMER
    static let timer: Int32 = -2
  }

  private func number(at offset: Int) -> Int32 {
    guard bytes.count >= offset + 4 else { return 0 }
    return (0..<4).reduce(0) {
      $0 | Int32(truncatingIfNeeded: UInt32(bytes[offset + $1]) << UInt32(8 * $1))
    }
  }
}
