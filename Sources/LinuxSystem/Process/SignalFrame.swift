#if arch(x86_64)
  /// What rt_sigreturn(2) takes a thread's state from: `struct rt_sigframe` of arch/x86/include/asm/sigframe.h
  /// without the siginfo, and the extended state behind it.
  ///
  /// | offset | what |
  /// | --- | --- |
  /// | 0 | a return address that nobody uses |
  /// | 8 | uc_flags, uc_link, uc_stack (24 bytes) |
  /// | 48 | sigcontext: r8…r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags, cs/gs/fs/ss (2 each), err, trapno, oldmask, cr2, fpstate |
  /// | 304 | uc_sigmask |
  /// | 320 | the extended state, at a multiple of 64 |
  enum SignalFrame {
    /// The kernel finds the frame at 8 below the stack pointer.
    static let contextOffset: UInt64 = 8

    private enum Offset {
      static let flags = 8, stackFlags = 32, registers = 48, selectors = 192, extendedAddress = 232
      static let mask = 304, extended = 320
    }

    /// The frame for an address that is a multiple of 64.
    static func bytes(
      registers: Registers, signalMask: UInt64, extendedState: [UInt8], at address: UInt64
    ) -> [UInt8] {
      precondition(address % 64 == 0)
      var frame = [UInt8](repeating: 0, count: Offset.extended)
      func store(_ value: UInt64, at offset: Int, count: Int = 8) {
        for byte in 0..<count {
          frame[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte))
        }
      }
      // UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS
      store(7, at: Offset.flags)
      // Flags that no alternate stack can have: the kernel leaves the thread's as it is.
      store(0x7fff_ffff, at: Offset.stackFlags, count: 4)
      let words = registers.words
      // r8 r9 … r15, rdi rsi rbp rbx rdx rax rcx rsp rip eflags, by their places in user_regs_struct
      for (place, word) in [9, 8, 7, 6, 3, 2, 1, 0, 14, 13, 4, 5, 12, 10, 11, 19, 16, 18]
        .enumerated()
      {
        store(words[word], at: Offset.registers + place * 8)
      }
      for (place, word) in [17, 26, 25, 20].enumerated() {  // cs gs fs ss
        store(words[word], at: Offset.selectors + place * 2, count: 2)
      }
      store(signalMask, at: Offset.mask)
      if !extendedState.isEmpty {
        store(address + UInt64(Offset.extended), at: Offset.extendedAddress)
        frame += markedForSignals(extendedState)
      }
      return frame
    }

    /// The state with what the kernel puts around it in signal frames: two magic numbers, the features and
    /// the sizes, in the bytes that XSAVE leaves to software (464 to 511); struct _fpx_sw_bytes.
    private static func markedForSignals(_ state: [UInt8]) -> [UInt8] {
      guard state.count >= 576 else { return state }  // FXSAVE alone
      var state = state
      let byteCount = state.count
      // ptrace leaves the mask of possible features (XCR0) in these software bytes.
      let features = Array(state[464..<472])
      func store(_ value: UInt64, at offset: Int, count: Int) {
        for byte in 0..<count {
          state[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte))
        }
      }
      for offset in 464..<512 { state[offset] = 0 }
      store(0x4650_5853, at: 464, count: 4)
      store(UInt64(byteCount) + 4, at: 468, count: 4)
      for (place, byte) in features.enumerated() { state[472 + place] = byte }
      store(UInt64(byteCount), at: 480, count: 4)
      state += [0, 0, 0, 0]
      store(0x4650_5845, at: byteCount, count: 4)
      return state
    }
  }
#endif
