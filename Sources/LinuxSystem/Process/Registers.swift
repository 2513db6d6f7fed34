#if arch(x86_64)
  /// The general registers of a stopped thread, as `struct user_regs_struct` orders them (sys/user.h).
  package struct Registers: Equatable, Sendable {
    /// r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, eflags,
    /// rsp, ss, fs_base, gs_base, ds, es, fs, gs.
    package var words: [UInt64]

    package static let wordCount = 27

    private enum Word {
      static let r10 = 7, r9 = 8, r8 = 9, rax = 10, rdx = 12, rsi = 13, rdi = 14, origRax = 15
      static let rip = 16, cs = 17, rsp = 19
    }

    package init(words: [UInt64]) {
      precondition(words.count == Self.wordCount)
      self.words = words
    }

    /// Where it goes on.
    package var instructionPointer: UInt64 {
      get { words[Word.rip] }
      set { words[Word.rip] = newValue }
    }

    package var stackPointer: UInt64 {
      get { words[Word.rsp] }
      set { words[Word.rsp] = newValue }
    }

    /// What a system call returned: the value, or -errno.
    package var callResult: Int {
      get { Int(bitPattern: UInt(words[Word.rax])) }
      set { words[Word.rax] = UInt64(bitPattern: Int64(newValue)) }
    }

    /// The system call that it is in; nil outside of one, and after the kernel has settled how the call
    /// goes on.
    package var currentCall: KernelCall? {
      get {
        let number = Int(bitPattern: UInt(words[Word.origRax]))
        return number < 0 ? nil : KernelCall(rawValue: number)
      }
      set { words[Word.origRax] = UInt64(bitPattern: Int64(newValue?.rawValue ?? -1)) }
    }

    /// The arguments of that system call, in their order.
    package var callArguments: [UInt64] {
      get { Self.argumentWords.map { words[$0] } }
      set {
        precondition(newValue.count == Self.argumentWords.count)
        for (place, value) in zip(Self.argumentWords, newValue) { words[place] = value }
      }
    }

    /// The first arguments of a function that begins here (System V ABI).
    package mutating func setArguments(_ first: UInt64, _ second: UInt64) {
      (words[Word.rdi], words[Word.rsi]) = (first, second)
    }

    private static let argumentWords = [Word.rdi, Word.rsi, Word.rdx, Word.r10, Word.r8, Word.r9]

    /// Whether it runs 32-bit code.
    package var isCompatibilityMode: Bool { words[Word.cs] == 0x23 }

    /// What `syscall` takes up: stepping back by it makes the call again.
    package static let callInstructionByteCount: UInt64 = 2

    /// Ready to make a call at the `syscall` instruction at `address`.
    package mutating func prepare(
      _ call: KernelCall, _ arguments: [UInt64], at address: UInt64
    ) {
      words[Word.rax] = UInt64(call.rawValue)
      words[Word.origRax] = .max
      words[Word.rip] = address
      let places = [Word.rdi, Word.rsi, Word.rdx, Word.r10, Word.r8, Word.r9]
      for (index, place) in places.enumerated() {
        // Some calls refuse what they have no use for.
        words[place] = index < arguments.count ? arguments[index] : 0
      }
    }
  }
#endif
