#if arch(x86_64)
  import SystemPackage

  /// Makes system calls in the name of a stopped process: what only it can find out or change of itself.
  ///
  /// No code of ours is written over the process's own. The first call maps one scratch area, and from then
  /// on calls run from a page in there. That page continues in rt_sigreturn(2) on a frame which holds the
  /// thread's own registers, extended state and signal mask: if the tracer dies at any moment after `enter`,
  /// the thread takes its own state up again by itself and goes on.
  ///
  /// The same holds for the mapping call, and for the unmapping one at the end, where the process has a
  /// `ReturnPath`: the thread is led to its own rt_sigreturn, and stopped as it enters that call; there the
  /// number of the call is exchanged, and the place where the thread goes on is set to before the call. So
  /// it makes our call and then, if nobody stops it, its own. Without a return path those two calls are made
  /// at the `syscall` instruction in the process's vdso, and a tracer that dies during them takes the process
  /// with it.
  package final class CallInjector {
    /// Bytes for arguments and results that lie in memory, behind code and frame.
    package static let argumentByteCount = 128 << 10
    /// With which status a process ends that `clone` has made and that nobody traces any more.
    package static let endStatus = 247

    private let memory: ProcessMemory
    /// A `syscall` instruction of the process's own, at which the scratch area is mapped and unmapped.
    package var ownInstruction: UInt64
    private let returnPath: ReturnPath?
    /// Where the scratch area lies.
    package let scratch: Range<UInt64>
    private var inside: Inside?
    /// Whether what lies behind the code can be written by the process.
    private var hasRoom = false
    /// Signals that came in between and that no mask holds back: SIGSTOP. They were kept from acting.
    package private(set) var heldSignals: [Int32] = []

    /// The thread that is made to call, and what it was.
    private struct Inside {
      let thread: TracedThread
      var working: Registers
      let original: Registers
      let mask: UInt64
    }

    private enum Layout {
      static let pageByteCount: UInt64 = 4096
      static let code: UInt64 = 0
      /// Code for calls that make processes.
      static let cloningCode: UInt64 = 256
      /// Code for calls of a process that such a call has made.
      static let endingCode: UInt64 = 512
      /// The stack that a signal handler may use, should the thread be let go of in between, grows down
      /// from the frame.
      static let frame: UInt64 = 16 << 10
      static let arguments: UInt64 = 48 << 10
      static let byteCount: UInt64 = arguments + UInt64(argumentByteCount)
    }

    /// Where arguments begin in the process.
    package var argumentAddress: UInt64 { scratch.lowerBound + Layout.arguments }

    /// Maps the scratch area, in a stopped thread that goes on with these registers. `at`: where, if it
    /// matters; it must be free.
    package init(
      in thread: TracedThread, registers: Registers, ownInstruction: UInt64,
      returnPath: ReturnPath? = nil, at address: UInt64? = nil
    ) throws(InjectionError) {
      self.ownInstruction = ownInstruction
      self.returnPath = returnPath
      do throws(SystemCallError) {
        memory = try ProcessMemory(of: thread.process)
      } catch {
        throw .tracing(error)
      }
      // MAP_PRIVATE | MAP_ANONYMOUS, and MAP_FIXED_NOREPLACE where the place is given. Memory that may be
      // written and executed is more than many processes are allowed (PR_SET_MDWE): it may be executed,
      // and all but the code becomes writable instead when the first thread enters.
      let flags: UInt64 = 0x22 | (address == nil ? 0 : 0x10_0000)
      var held: [Int32] = []
      let mapped = try Self.callAlone(
        .mmap, [address ?? 0, Layout.byteCount, 5, flags, .max, 0], in: thread, registers, memory,
        ownInstruction, returnPath, &held)
      if mapped < 0 && mapped > -4096 {
        throw .refused(call: "mmap", errno: Errno(rawValue: CInt(-mapped)))
      }
      let start = UInt64(bitPattern: Int64(mapped))
      scratch = start..<start + Layout.byteCount
      heldSignals = held
      try tracing { () throws(SystemCallError) in
        try memory.write(Self.code(frame: start + Layout.frame), at: start + Layout.code)
        try memory.write(
          Self.cloningCode(frame: start + Layout.frame), at: start + Layout.cloningCode)
        try memory.write(Self.endingCode, at: start + Layout.endingCode)
      }
    }

    /// Makes a call without the scratch area, and gives the thread its state back.
    private static func callAlone(
      _ call: KernelCall, _ arguments: [UInt64], in thread: TracedThread, _ registers: Registers,
      _ memory: borrowing ProcessMemory, _ ownInstruction: UInt64, _ path: ReturnPath?,
      _ held: inout [Int32]
    ) throws(InjectionError) -> Int {
      let mask = try tracing { () throws(SystemCallError) in try thread.signalMask() }
      var saved: [UInt8] = []
      var working = registers
      if let path {
        let room = path.room.lowerBound
        let count = path.room.count
        saved = try tracing { () throws(SystemCallError) in
          try memory.bytes(at: room, count: count)
        }
        working = try prepareReturn(thread, registers, mask, memory, path)
      }
      let prepared = working
      try tracing { () throws(SystemCallError) in
        try thread.set(prepared)
        try thread.set(signalMask: .max)
      }
      var result = 0
      var failure: InjectionError?
      do {
        if path != nil {
          result = try callOnTheWayBack(call, arguments, in: thread, working, &held)
        } else {
          result = try Self.call(call, arguments, in: thread, &working, at: ownInstruction, &held)
        }
      } catch {
        failure = error
      }
      if thread.isStopped {
        try tracing { () throws(SystemCallError) in
          try thread.set(signalMask: mask)
          try thread.set(registers)
          if let path { try memory.write(saved, at: path.room.lowerBound) }
        }
      }
      if let failure { throw failure }
      return result
    }

    /// Writes the frame, and returns the registers that lead there.
    private static func prepareReturn(
      _ thread: TracedThread, _ registers: Registers, _ mask: UInt64,
      _ memory: borrowing ProcessMemory, _ path: ReturnPath
    ) throws(InjectionError) -> Registers {
      let state = try tracing { () throws(SystemCallError) in try thread.extendedState() }
      let frame = SignalFrame.bytes(
        registers: registers, signalMask: mask, extendedState: state, at: path.room.lowerBound)
      precondition(frame.count <= path.room.count)
      try tracing { () throws(SystemCallError) in
        try memory.write(frame, at: path.room.lowerBound)
      }
      var working = registers
      working.currentCall = nil
      working.instructionPointer = path.instructions
      working.stackPointer = path.room.lowerBound + SignalFrame.contextOffset
      return working
    }

    /// From the way into rt_sigreturn: another call first.
    private static func callOnTheWayBack(
      _ call: KernelCall, _ arguments: [UInt64], in thread: TracedThread, _ working: Registers,
      _ held: inout [Int32]
    ) throws(InjectionError) -> Int {
      try runToSystemCallStop(thread, &held)  // about to enter rt_sigreturn
      var exchanged = working
      exchanged.prepare(call, arguments, at: working.instructionPointer)
      exchanged.currentCall = call
      let prepared = exchanged
      try tracing { () throws(SystemCallError) in try thread.set(prepared) }
      try runToSystemCallStop(thread, &held)  // has left the other one
      return try tracing { () throws(SystemCallError) in try thread.registers() }.callResult
    }

    /// Borrows a stopped thread for calls. Nothing of it is lost until `leave`, whatever happens to us.
    package func enter(_ thread: TracedThread, registers: Registers) throws(InjectionError) {
      precondition(inside == nil, "one thread at a time")
      let mask = try tracing { () throws(SystemCallError) in try thread.signalMask() }
      let state = try tracing { () throws(SystemCallError) in try thread.extendedState() }
      let frame = SignalFrame.bytes(
        registers: registers, signalMask: mask, extendedState: state,
        at: scratch.lowerBound + Layout.frame)
      precondition(UInt64(frame.count) <= Layout.arguments - Layout.frame)
      var working = registers
      working.currentCall = nil
      working.instructionPointer =
        scratch.lowerBound + Layout.code + Registers.callInstructionByteCount
      working.stackPointer = scratch.lowerBound + Layout.frame
      let memory = scratch.lowerBound + Layout.frame
      try tracing { () throws(SystemCallError) in
        try self.memory.write(frame, at: memory)
        // In this order: from here on it would go on in rt_sigreturn, which also sets the mask back.
        try thread.set(working)
        try thread.set(signalMask: .max)
      }
      inside = Inside(thread: thread, working: working, original: registers, mask: mask)
      if hasRoom { return }
      let room = scratch.lowerBound + Layout.pageByteCount
      try call(.mprotect, "mprotect", [room, Layout.byteCount - Layout.pageByteCount, 3])
      hasRoom = true
    }

    /// Whether this thread is the one that makes the calls now.
    package func isInside(_ thread: TracedThread) -> Bool { inside?.thread === thread }

    /// Gives the thread back as it was.
    package func leave() throws(InjectionError) {
      guard let inside else { return }
      self.inside = nil
      if !inside.thread.isStopped { return }
      try tracing { () throws(SystemCallError) in
        try inside.thread.set(inside.working)
        try inside.thread.set(signalMask: inside.mask)
        try inside.thread.set(inside.original)
      }
    }

    /// Makes a call in the borrowed thread: what it returned, or -errno.
    package func callForResult(
      _ call: KernelCall, _ arguments: [UInt64]
    ) throws(InjectionError) -> Int {
      guard let inside else { preconditionFailure("no thread is borrowed") }
      var registers = inside.working
      return try Self.call(
        call, arguments, in: inside.thread, &registers, at: scratch.lowerBound + Layout.code,
        &heldSignals)
    }

    /// Begins a call in the borrowed thread that may wait for long, and cuts it off before it does: what it
    /// returned, or the number by which the kernel says how it would go on (-ERESTART_RESTARTBLOCK and
    /// others). The kernel keeps what it needs to go on.
    package func begin(
      _ call: KernelCall, _ arguments: [UInt64]
    ) throws(InjectionError) -> Int {
      guard let inside else { preconditionFailure("no thread is borrowed") }
      let thread = inside.thread
      var registers = inside.working
      registers.prepare(call, arguments, at: scratch.lowerBound + Layout.code)
      let prepared = registers
      try tracing { () throws(SystemCallError) in try thread.set(prepared) }
      try Self.runToSystemCallStop(thread, &heldSignals)  // about to enter
      try tracing { () throws(SystemCallError) in try thread.interrupt() }
      try Self.runToSystemCallStop(thread, &heldSignals)  // has left
      return try tracing { () throws(SystemCallError) in try thread.registers() }.callResult
    }

    /// Stops the borrowed thread's process as a signal does that stops by default: from now on it is stopped
    /// for everybody, though it still makes our calls.
    ///
    /// - Returns: false if it was not stopped, since the kernel takes no other stop than SIGSTOP of a process
    ///   group that is orphaned.
    package func stop(by signal: Int32) throws(InjectionError) -> Bool {
      guard let inside else { preconditionFailure("no thread is borrowed") }
      let thread = inside.thread
      // Should it go on after the signal, it is seen as it enters this call.
      var registers = inside.working
      registers.prepare(.getpid, [], at: scratch.lowerBound + Layout.code)
      let prepared = registers
      // A signal that is blocked would be kept for later.
      let mask = ~(UInt64(1) << UInt64(signal - 1))
      let stop = try tracing { () throws(SystemCallError) -> ThreadStop? in
        try thread.set(prepared)
        try thread.set(signalMask: mask)
        try thread.process.send(signal: Self.stop)
        try thread.resumeToSystemCall()
        while let stop = try thread.wait() {
          switch stop {
          case .groupStopped, .systemCall, .exited, .killed: return stop
          case .signal(Self.stop): try thread.resumeToSystemCall(signal: signal)
          default: try thread.resumeToSystemCall()
          }
        }
        return nil
      }
      guard let stop, !stop.isEnd else { throw .ended(thread.id) }
      if stop == .systemCall { try Self.runToSystemCallStop(thread, &heldSignals) }
      try tracing { () throws(SystemCallError) in try thread.set(signalMask: .max) }
      return stop != .systemCall
    }

    /// A process that an injected call has made.
    package struct Made {
      /// As its maker knows it, which may live in another namespace of numbers than we.
      package let number: Int32
      /// Stopped before it ran at all; if nobody traces it any more, it ends at once.
      package let thread: TracedThread
    }

    /// Makes the borrowed thread clone(2) itself; its maker must be traced with `clones`.
    package func clone(flags: UInt64) throws(InjectionError) -> Made {
      guard let inside else { preconditionFailure("no thread is borrowed") }
      return try clone(flags: flags, in: inside.thread, inside.working, at: Layout.cloningCode)
    }

    /// The same in a process that such a clone has made and that has never run. It never goes back to the program:
    /// if nobody traces it any more, it ends.
    package func clone(flags: UInt64, in copy: TracedThread) throws(InjectionError) -> Made {
      let registers = try tracing { () throws(SystemCallError) in try copy.registers() }
      return try clone(flags: flags, in: copy, registers, at: Layout.endingCode)
    }

    private func clone(
      flags: UInt64, in thread: TracedThread, _ working: Registers, at code: UInt64
    ) throws(InjectionError) -> Made {
      var registers = working
      registers.prepare(.clone, [flags, 0, 0, 0, 0], at: scratch.lowerBound + code)
      let prepared = registers
      try tracing { () throws(SystemCallError) in try thread.set(prepared) }
      try Self.runToSystemCallStop(thread, &heldSignals)  // about to enter
      let made = try Self.runToSystemCallStop(thread, &heldSignals)  // has left
      let result = try tracing { () throws(SystemCallError) in try thread.registers() }.callResult
      guard result > 0, let made else {
        throw .refused(call: "clone", errno: Errno(rawValue: CInt(clamping: -result)))
      }
      let child = TracedThread(inherited: made, of: made, options: thread.options)
      while true {
        let stop = try tracing { () throws(SystemCallError) in try child.wait() }
        if stop == .interrupted { break }
        if stop?.isEnd ?? true { throw .ended(made) }
        try tracing { () throws(SystemCallError) in try child.resume() }
      }
      return Made(number: Int32(truncatingIfNeeded: result), thread: child)
    }

    /// Makes a call in a process that `clone` has made and that has never run. Whatever the call returns, the process
    /// ends if nobody traces it any more.
    package func callForResult(
      _ call: KernelCall, _ arguments: [UInt64], in copy: TracedThread
    ) throws(InjectionError) -> Int {
      var registers = try tracing { () throws(SystemCallError) in try copy.registers() }
      return try Self.call(
        call, arguments, in: copy, &registers, at: scratch.lowerBound + Layout.endingCode,
        &heldSignals)
    }

    /// Makes a call in the borrowed thread, and throws what it refuses.
    @discardableResult
    package func call(
      _ call: KernelCall, _ name: StaticString, _ arguments: [UInt64]
    ) throws(InjectionError) -> Int {
      let value = try callForResult(call, arguments)
      if value < 0 && value > -4096 {
        throw .refused(call: name.description, errno: Errno(rawValue: CInt(-value)))
      }
      return value
    }

    /// Makes a call that makes a process or thread. Returns that by the number which it has for us: the maker
    /// may know it by another.
    package func callThatMakes(
      _ call: KernelCall, _ name: StaticString, _ arguments: [UInt64]
    ) throws(InjectionError) -> ProcessID {
      guard let inside else { preconditionFailure("no thread is borrowed") }
      var registers = inside.working
      registers.prepare(call, arguments, at: scratch.lowerBound + Layout.code)
      let prepared = registers
      try tracing { () throws(SystemCallError) in try inside.thread.set(prepared) }
      try Self.runToSystemCallStop(inside.thread, &heldSignals)  // about to enter
      let made = try Self.runToSystemCallStop(inside.thread, &heldSignals)  // has left
      let result = try tracing { () throws(SystemCallError) in
        try inside.thread.registers()
      }.callResult
      guard result > 0, let made else {
        throw .refused(call: name.description, errno: Errno(rawValue: CInt(clamping: -result)))
      }
      return made
    }

    /// Puts bytes where arguments are read; returns their address.
    @discardableResult
    package func put(_ bytes: [UInt8], at offset: Int = 0) throws(InjectionError) -> UInt64 {
      precondition(offset >= 0 && offset + bytes.count <= Self.argumentByteCount)
      let address = argumentAddress + UInt64(offset)
      try tracing { () throws(SystemCallError) in try memory.write(bytes, at: address) }
      return address
    }

    /// Reads back what a call left there.
    package func get(_ count: Int, at offset: Int = 0) throws(InjectionError) -> [UInt8] {
      precondition(offset >= 0 && offset + count <= Self.argumentByteCount)
      let address = argumentAddress + UInt64(offset)
      return try tracing { () throws(SystemCallError) in
        try memory.bytes(at: address, count: count)
      }
    }

    /// Takes the scratch area away. The thread goes on with these registers.
    package func remove(in thread: TracedThread, registers: Registers) throws(InjectionError) {
      precondition(inside == nil)
      let result = try Self.callAlone(
        .munmap, [scratch.lowerBound, Layout.byteCount], in: thread, registers, memory,
        ownInstruction, returnPath, &heldSignals)
      if result < 0 {
        throw .refused(call: "munmap", errno: Errno(rawValue: CInt(-result)))
      }
    }

    private static func call(
      _ call: KernelCall, _ arguments: [UInt64], in thread: TracedThread,
      _ registers: inout Registers, at address: UInt64, _ held: inout [Int32]
    ) throws(InjectionError) -> Int {
      registers.prepare(call, arguments, at: address)
      let prepared = registers
      try tracing { () throws(SystemCallError) in try thread.set(prepared) }
      try runToSystemCallStop(thread, &held)  // about to enter
      try runToSystemCallStop(thread, &held)  // has left
      registers = try tracing { () throws(SystemCallError) in try thread.registers() }
      return registers.callResult
    }

    /// Returns the process that was made on the way.
    @discardableResult
    private static func runToSystemCallStop(
      _ thread: TracedThread, _ held: inout [Int32]
    ) throws(InjectionError) -> ProcessID? {
      var made: ProcessID?
      while true {
        try tracing { () throws(SystemCallError) in try thread.resumeToSystemCall() }
        let stop = try tracing { () throws(SystemCallError) in try thread.wait() }
        switch stop {
        case .systemCall: return made
        case .exited, .killed: throw .ended(thread.id)
        case .cloned:
          made = try tracing { () throws(SystemCallError) in try thread.madeProcess() }
        case .interrupted, .groupStopped: continue  // an old request
        case .signal(Self.stop): held.append(Self.stop)
        case .signal, .event, nil: throw .unexpected(thread.id, stop)
        }
      }
    }

    /// SIGSTOP
    private static let stop: Int32 = 19

    /// syscall; then, should nobody stop it there: rsp = the frame, rt_sigreturn.
    private static func code(frame: UInt64) -> [UInt8] {
      var code: [UInt8] = [0x0f, 0x05]  // syscall
      code += [0x48, 0xbc]  // movabs $frame, %rsp
      code += (0..<8).map {
        UInt8(truncatingIfNeeded: (frame + SignalFrame.contextOffset) >> (8 * $0))
      }
      code += [0xb8, 15, 0, 0, 0]  // mov $15, %eax: rt_sigreturn
      code += [0x0f, 0x05]  // syscall
      return code
    }

    /// The same for a call that makes a process, which ends should nobody stop it there.
    private static func cloningCode(frame: UInt64) -> [UInt8] {
      let rest = Self.code(frame: frame).dropFirst(2)
      var code: [UInt8] = [0x0f, 0x05]  // syscall
      code += [0x48, 0x85, 0xc0]  // test %rax, %rax
      code += [0x74, UInt8(rest.count)]  // jz past the rest
      return code + rest + end
    }

    /// A call, and then the end of the process: for one that is not the program, and must never become it.
    private static let endingCode: [UInt8] = [0x0f, 0x05] + end  // syscall

    private static let end: [UInt8] = [
      0xbf, UInt8(endStatus), 0, 0, 0,  // mov $endStatus, %edi
      0xb8, 231, 0, 0, 0,  // mov $231, %eax: exit_group
      0x0f, 0x05,  // syscall
    ]
  }

  /// A call in another process that could not be made.
  package enum InjectionError: Error {
    /// ptrace or the process's memory refused.
    case tracing(SystemCallError)
    /// The process made the call, and the kernel refused it.
    case refused(call: String, errno: Errno)
    /// The thread ended meanwhile.
    case ended(ProcessID)
    /// It stopped for another reason than its call.
    case unexpected(ProcessID, ThreadStop?)
  }

  /// Names what the kernel said to us, not to the process.
  private func tracing<Value: ~Copyable>(
    _ body: () throws(SystemCallError) -> Value
  ) throws(InjectionError) -> Value {
    do throws(SystemCallError) {
      return try body()
    } catch {
      throw .tracing(error)
    }
  }
#endif
