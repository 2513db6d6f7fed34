import LinuxSystem

/// What a seccomp filter says of a call: the machine of classic BPF as seccomp(2) restricts it.
struct SeccompVerdict {
  /// The upper half of the value: SECCOMP_RET_KILL_PROCESS and so on; lower (signed) is stricter.
  let action: UInt32

  static let allow: UInt32 = 0x7fff_0000
  static let log: UInt32 = 0x7ffc_0000
  static let notify: UInt32 = 0x7fc0_0000

  var lets: Bool { action == Self.allow || action == Self.log }

  private struct Instruction {
    var code: UInt16
    var ifTrue, ifFalse: Int
    var constant: UInt32

    init(_ bytes: ArraySlice<UInt8>) {
      let bytes = Array(bytes)
      code = UInt16(bytes[0]) | UInt16(bytes[1]) << 8
      (ifTrue, ifFalse) = (Int(bytes[2]), Int(bytes[3]))
      constant = (4..<8).reversed().reduce(0) { $0 << 8 | UInt32(bytes[$1]) }
    }
  }

  /// Whether some call may be handed to another process to decide (SECCOMP_RET_USER_NOTIF).
  static func notifies(_ program: [UInt8]) -> Bool {
    stride(from: 0, to: program.count - 7, by: 8).contains { offset in
      let instruction = Instruction(program[offset..<offset + 8])
      // BPF_RET | BPF_K
      return instruction.code == 0x06 && instruction.constant & 0xffff_0000 == notify
    }
  }

  /// Of a call with these arguments at this place.
  init(of program: [UInt8], _ call: KernelCall, at address: UInt64, _ arguments: [UInt64]) {
    // struct seccomp_data: nr, arch (AUDIT_ARCH_X86_64), instruction_pointer, args
    let words = [UInt64(UInt32(truncatingIfNeeded: call.rawValue)) | 0xc000_003e << 32, address]
    let data = (words + arguments).flatMap {
      [UInt32(truncatingIfNeeded: $0), UInt32(truncatingIfNeeded: $0 >> 32)]
    }
    action = Self.run(program, data) & 0xffff_0000
  }

  /// 0, the strictest, for what the kernel would not have accepted.
  private static func run(_ program: [UInt8], _ data: [UInt32]) -> UInt32 {
    var accumulator: UInt32 = 0
    var index: UInt32 = 0
    var scratch = [UInt32](repeating: 0, count: 16)
    var place = 0
    while program.count >= 8 * (place + 1) {
      let one = Instruction(program[8 * place..<8 * place + 8])
      place += 1
      let operand = one.code & 0x08 == 0 ? one.constant : index
      switch one.code & 0x07 {
      case 0x00, 0x01:  // BPF_LD, BPF_LDX
        var value = one.constant  // BPF_IMM
        switch one.code & 0xe0 {
        case 0x20:  // BPF_ABS
          guard one.constant % 4 == 0, one.constant / 4 < data.count else { return 0 }
          value = data[Int(one.constant / 4)]
        case 0x60:  // BPF_MEM
          guard one.constant < 16 else { return 0 }
          value = scratch[Int(one.constant)]
        case 0x80: value = UInt32(data.count * 4)  // BPF_LEN
        default: break
        }
        if one.code & 0x07 == 0 { accumulator = value } else { index = value }
      case 0x02, 0x03:  // BPF_ST, BPF_STX
        guard one.constant < 16 else { return 0 }
        scratch[Int(one.constant)] = one.code & 0x07 == 0x02 ? accumulator : index
      case 0x04:  // BPF_ALU
        guard let value = calculate(one.code, accumulator, operand) else { return 0 }
        accumulator = value
      case 0x05:  // BPF_JMP
        let isTrue: Bool
        switch one.code & 0xf0 {
        case 0x00:
          place += Int(one.constant)
          continue
        case 0x10: isTrue = accumulator == operand
        case 0x20: isTrue = accumulator > operand
        case 0x30: isTrue = accumulator >= operand
        case 0x40: isTrue = accumulator & operand != 0
        default: return 0
        }
        place += isTrue ? one.ifTrue : one.ifFalse
      case 0x06: return one.code & 0x18 == 0x10 ? accumulator : one.constant  // BPF_RET
      default:  // BPF_MISC
        if one.code & 0xf8 == 0x80 { accumulator = index } else { index = accumulator }
      }
    }
    return 0
  }

  private static func calculate(_ code: UInt16, _ one: UInt32, _ other: UInt32) -> UInt32? {
    switch code & 0xf0 {
    case 0x00: one &+ other
    case 0x10: one &- other
    case 0x20: one &* other
    case 0x30: other == 0 ? nil : one / other
    case 0x40: one | other
    case 0x50: one & other
    case 0x60: other < 32 ? one << other : 0
    case 0x70: other < 32 ? one >> other : 0
    case 0x80: 0 &- one
    case 0xa0: one ^ other
    default: nil
    }
  }
}
