import CLinux
import Glibc
import SystemPackage

/// A thread of another process that this thread has seized with ptrace.
///
/// The kernel obeys only the thread that seized, so every call checks that it is that one. Letting go of the
/// last reference does not detach; a traced thread that nobody detaches is let go by the kernel when the
/// tracer ends, as it stands then.
package final class TracedThread {
  package let id: ProcessID
  /// The process it is a thread of.
  package let process: ProcessID
  /// Whether it is stopped, so that it can be asked and changed.
  package private(set) var isStopped = false
  package private(set) var isAttached = true
  /// What is traced along. One that the kernel attached has those of its maker.
  package private(set) var options: Options
  private let owner = pthread_self()

  /// What is traced along: what a stopped thread makes is stopped as well, before it runs.
  package struct Options: OptionSet, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    /// System call stops can be told from SIGTRAP.
    package static let markSystemCalls = Options(rawValue: 0x1)
    package static let forks = Options(rawValue: 0x2 | 0x4)
    package static let clones = Options(rawValue: 0x8)
    /// Killed when the tracer ends.
    package static let endWithTracer = Options(rawValue: 0x10_0000)
    /// Its seccomp filters sleep while it is traced (needs CAP_SYS_ADMIN).
    package static let suspendSeccomp = Options(rawValue: 0x20_0000)
  }

  private enum Request {
    static let resume = 7, detach = 17, resumeToSystemCall = 24, setOptions = 0x4200
    static let eventMessage = 0x4201, signalInformation = 0x4202
    static let registerSet = 0x4204, setRegisterSet = 0x4205, seize = 0x4206, interrupt = 0x4207
    static let listen = 0x4208, peekSignals = 0x4209, signalMask = 0x420a, setSignalMask = 0x420b
    static let seccompFilter = 0x420c, seccompMetadata = 0x420d, rseqConfiguration = 0x420f
    static let callDispatch = 0x4210
  }

  /// Takes hold of a running thread; it goes on running until `interrupt`.
  package init(
    seizing id: ProcessID, of process: ProcessID, options: Options
  ) throws(SystemCallError) {
    self.id = id
    self.process = process
    self.options = options
    try kernelCall(
      .ptrace, "ptrace(PTRACE_SEIZE)", on: "process \(id)", Request.seize, Int(id.number), 0,
      options.rawValue)
  }

  /// One that the kernel attached by itself, since its maker is traced with `forks` or `clones`.
  package init(inherited id: ProcessID, of process: ProcessID, options: Options) {
    self.id = id
    self.process = process
    self.options = options
  }

  // MARK: Stopping and going on

  /// Asks it to stop; `wait` tells when it has. A request is forgotten when the thread stops for any other reason
  /// after it (ptrace_stop in kernel/signal.c).
  package func interrupt() throws(SystemCallError) {
    try request("PTRACE_INTERRUPT", Request.interrupt)
  }

  /// Waits for its next stop. Without `blocking`, nil when there is none yet.
  package func wait(blocking: Bool = true) throws(SystemCallError) -> ThreadStop? {
    checkOwner()
    var status: [Int32] = [0]
    let options = Int(WALL) | (blocking ? 0 : Int(WNOHANG))
    let id = id
    let waited = try withAddress(of: &status) { (status) throws(SystemCallError) in
      try kernelCall(.wait4, "wait4", on: "process \(id)", Int(id.number), status, options)
    }
    if waited == 0 { return nil }
    let stop = ThreadStop(status: status[0])
    isStopped = !stop.isEnd
    if stop.isEnd { isAttached = false }
    return stop
  }

  /// Goes on, with a signal or without.
  package func resume(signal: Int32 = 0) throws(SystemCallError) {
    try request("PTRACE_CONT", Request.resume, data: Int(signal))
    isStopped = false
  }

  /// Leads a stopped thread to where the kernel is about to look at its signals, on its way back to its own code,
  /// none of which runs, and gives it these registers there: the kernel settles them like those of a thread that
  /// comes from a system call, also by signals that act on the way.
  package func leadToSignals(with registers: Registers) throws(SystemCallError) {
    try interrupt()
    try resume()
    var isGiven = false
    while let stop = try wait(), !stop.isEnd {
      switch stop {
      case .interrupted, .groupStopped:
        if !isGiven { try set(registers) }
        return
      case .signal(let signal):
        if !isGiven { try set(registers) }
        isGiven = true
        try interrupt()
        try resume(signal: signal)
      default:
        try interrupt()
        try resume()
      }
    }
  }

  /// Has a thread of a stopped process that was cut off in a call go on with that for a moment, to see where the
  /// kernel lets it sleep; none of its own code runs. Afterwards it stands again, behind the call where that has
  /// ended by itself. Signals that came meanwhile are taken back: they have to be sent again.
  package func lookIntoCall() throws(SystemCallError) -> (note: SleepNote?, signals: [Int32]) {
    var note: SleepNote?
    var signals: [Int32] = []
    var isInside = false
    let patience = ContinuousClock.now + .milliseconds(200)
    try resumeToSystemCall()
    while true {
      guard let stop = try wait(blocking: false) else {
        if note == nil, isInside || ContinuousClock.now > patience {
          note = SleepNote(of: id)
          if note != nil || ContinuousClock.now > patience { try interrupt() }
        }
        Machine.sleep(seconds: 0.000_05)
        continue
      }
      switch stop {
      case .exited, .killed: return (nil, signals)
      // The stop that it was asked for before may be told twice.
      case .interrupted where !isInside && ContinuousClock.now < patience,
        .groupStopped where !isInside && ContinuousClock.now < patience:
        try resumeToSystemCall()
      case .interrupted, .groupStopped: return (note, signals)
      case .systemCall where !isInside:
        isInside = true
        try resumeToSystemCall()
      case .signal(let signal):
        signals.append(signal)
        try resumeToSystemCall()
      default:
        try interrupt()
        try resume()
      }
    }
  }

  /// Goes on until it enters or leaves a system call, with a signal or without.
  package func resumeToSystemCall(signal: Int32 = 0) throws(SystemCallError) {
    try request("PTRACE_SYSCALL", Request.resumeToSystemCall, data: Int(signal))
    isStopped = false
  }

  /// From a group stop: stays stopped, as anybody else would see it, and tells what happens to it.
  package func listen() throws(SystemCallError) {
    try request("PTRACE_LISTEN", Request.listen)
    isStopped = false
  }

  /// Lets go of it; it runs on, with a signal or without. It must be stopped.
  package func detach(signal: Int32 = 0) throws(SystemCallError) {
    try request("PTRACE_DETACH", Request.detach, data: Int(signal))
    isStopped = false
    isAttached = false
  }

  package func setOptions(_ options: Options) throws(SystemCallError) {
    try request("PTRACE_SETOPTIONS", Request.setOptions, data: options.rawValue)
    self.options = options
  }

  // MARK: State

  /// The general registers.
  package func registers() throws(SystemCallError) -> Registers {
    let bytes = try registerSet(1, limit: Registers.wordCount * 8)  // NT_PRSTATUS
    guard bytes.count == Registers.wordCount * 8 else {
      // A 32-bit thread has another, shorter set.
      throw SystemCallError(
        call: "ptrace(PTRACE_GETREGSET)", subject: "process \(id)", errno: Errno(rawValue: ENOEXEC))
    }
    return Registers(
      words: (0..<Registers.wordCount).map { word in
        (0..<8).reduce(0) { $0 | UInt64(bytes[word * 8 + $1]) << (8 * UInt64($1)) }
      })
  }

  package func set(_ registers: Registers) throws(SystemCallError) {
    try setRegisterSet(
      1,
      registers.words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
      })
  }

  /// x87, SSE, AVX and whatever else the processor keeps, as XSAVE stores it.
  package func extendedState() throws(SystemCallError) -> [UInt8] {
    try registerSet(0x202, limit: 64 << 10)  // NT_X86_XSTATE
  }

  package func set(extendedState: [UInt8]) throws(SystemCallError) {
    try setRegisterSet(0x202, extendedState)
  }

  /// At a `cloned` stop: what it has made.
  package func madeProcess() throws(SystemCallError) -> ProcessID {
    var message: [UInt64] = [0]
    try withAddress(of: &message) { (message) throws(SystemCallError) in
      try request("PTRACE_GETEVENTMSG", Request.eventMessage, data: message)
    }
    return ProcessID(Int32(truncatingIfNeeded: message[0]))
  }

  /// Which signals are blocked: bit n - 1 for signal n.
  package func signalMask() throws(SystemCallError) -> UInt64 {
    var mask: [UInt64] = [0]
    try withAddress(of: &mask) { (mask) throws(SystemCallError) in
      try request("PTRACE_GETSIGMASK", Request.signalMask, address: 8, data: mask)
    }
    return mask[0]
  }

  package func set(signalMask: UInt64) throws(SystemCallError) {
    var mask = [signalMask]
    try withAddress(of: &mask) { (mask) throws(SystemCallError) in
      try request("PTRACE_SETSIGMASK", Request.setSignalMask, address: 8, data: mask)
    }
  }

  /// The signals that wait to be delivered, each as the 128 bytes of its siginfo: those of this thread, or
  /// those of the whole process.
  package func pendingSignals(ofProcess: Bool) throws(SystemCallError) -> [[UInt8]] {
    var signals: [[UInt8]] = []
    while true {
      // ptrace_peeksiginfo_args: offset, flags, how many
      var arguments: [UInt64] = [UInt64(signals.count), (ofProcess ? 1 : 0) | 1 << 32]
      var information = [UInt8](repeating: 0, count: 128)
      let count = try withAddress(of: &arguments) { (arguments) throws(SystemCallError) in
        try withAddress(of: &information) { (information) throws(SystemCallError) in
          try request(
            "PTRACE_PEEKSIGINFO", Request.peekSignals, address: arguments, data: information)
        }
      }
      if count == 0 { return signals }
      signals.append(information)
    }
  }

  /// What the thread has registered for restartable sequences; nil if nothing.
  package func restartableSequences() throws(SystemCallError) -> RestartableSequences? {
    var words: [UInt64] = [0, 0, 0]
    let byteCount = words.count * 8
    try withAddress(of: &words) { (words) throws(SystemCallError) in
      try request(
        "PTRACE_GET_RSEQ_CONFIGURATION", Request.rseqConfiguration, address: byteCount, data: words)
    }
    if words[0] == 0 { return nil }
    return RestartableSequences(
      address: words[0], byteCount: UInt32(truncatingIfNeeded: words[1]),
      signature: UInt32(truncatingIfNeeded: words[1] >> 32))
  }

  /// The classic BPF program of a seccomp filter, eight bytes an instruction; index 0 is the oldest. Nil
  /// past the last one.
  package func seccompFilter(_ index: Int) throws(SystemCallError) -> [UInt8]? {
    do throws(SystemCallError) {
      let count = try request("PTRACE_SECCOMP_GET_FILTER", Request.seccompFilter, address: index)
      var program = [UInt8](repeating: 0, count: count * 8)
      try withAddress(of: &program) { (program) throws(SystemCallError) in
        try request(
          "PTRACE_SECCOMP_GET_FILTER", Request.seccompFilter, address: index, data: program)
      }
      return program
    } catch  where error.errno == .noSuchFileOrDirectory {
      return nil
    }
  }

  /// The flags with which such a filter was installed: those of seccomp(2) that the kernel tells, which is
  /// SECCOMP_FILTER_FLAG_LOG.
  package func seccompFlags(_ index: Int) throws(SystemCallError) -> UInt64 {
    // struct seccomp_metadata: filter_off, flags
    var words: [UInt64] = [UInt64(index), 0]
    let byteCount = words.count * 8
    try withAddress(of: &words) { (words) throws(SystemCallError) in
      try request(
        "PTRACE_SECCOMP_GET_METADATA", Request.seccompMetadata, address: byteCount, data: words)
    }
    return words[1]
  }

  /// Whether its system calls are led to itself (PR_SET_SYSCALL_USER_DISPATCH); kernels before 6.4 can't say.
  package func dispatchesCalls() -> Bool {
    // struct ptrace_sud_config: mode, selector, offset, len
    var words: [UInt64] = [0, 0, 0, 0]
    let byteCount = words.count * 8
    _ = try? withAddress(of: &words) { (words) throws(SystemCallError) in
      try request(
        "PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG", Request.callDispatch, address: byteCount,
        data: words)
    }
    return words[0] != 0
  }

  /// Whether it may use input and output ports: ioperm(2).
  package func usesPorts() -> Bool {
    // NT_386_IOPERM: a bit for each port that may not be used; empty where nothing was ever allowed
    ((try? registerSet(0x201, limit: 8192)) ?? []).contains { $0 != 0xff }
  }

  // MARK: Requests

  private func registerSet(_ set: Int, limit: Int) throws(SystemCallError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: limit)
    let filled = try transfer("PTRACE_GETREGSET", Request.registerSet, set, &bytes)
    return Array(bytes.prefix(filled))
  }

  private func setRegisterSet(_ set: Int, _ bytes: [UInt8]) throws(SystemCallError) {
    var bytes = bytes
    try transfer("PTRACE_SETREGSET", Request.setRegisterSet, set, &bytes)
  }

  /// Moves a register set; returns how many bytes it has.
  @discardableResult
  private func transfer(
    _ name: StaticString, _ kind: Int, _ set: Int, _ bytes: inout [UInt8]
  ) throws(SystemCallError) -> Int {
    let count = bytes.count
    return try withAddress(of: &bytes) { (address) throws(SystemCallError) in
      var vector = [address, count]  // struct iovec
      try withAddress(of: &vector) { (vector) throws(SystemCallError) in
        try request(name, kind, address: set, data: vector)
      }
      return vector[1]
    }
  }

  @discardableResult
  private func request(
    _ name: StaticString, _ request: Int, address: Int = 0, data: Int = 0
  ) throws(SystemCallError) -> Int {
    checkOwner()
    let value = clinux_call(
      KernelCall.ptrace.rawValue, request, Int(id.number), address, data, 0, 0)
    if value < 0 {
      throw SystemCallError(
        call: "ptrace(\(name))", subject: "process \(id)", errno: Errno(rawValue: CInt(-value)))
    }
    return value
  }

  private func checkOwner() {
    precondition(
      pthread_equal(owner, pthread_self()) != 0, "ptrace obeys only the thread that seized")
  }
}

/// Also children that are threads, or that end with another signal than SIGCHLD (linux/wait.h).
private let WALL: CInt = 0x4000_0000

/// A thread's registration for restartable sequences: rseq(2).
package struct RestartableSequences: Equatable, Sendable {
  /// Where its `struct rseq` lies.
  package var address: UInt64
  package var byteCount: UInt32
  package var signature: UInt32

  package init(address: UInt64, byteCount: UInt32, signature: UInt32) {
    self.address = address
    self.byteCount = byteCount
    self.signature = signature
  }
}
