import LinuxSystem
import SystemPackage

/// A pid namespace for a tree whose numbers are taken, or may not be chosen: its first process makes the
/// tree's root, and reaps what the tree leaves behind.
///
/// In there the processes have the numbers that they had; everybody else knows them by other ones.
final class ProcessNamespace {
  private let first: NamespaceInit
  private let builder: ProcessBuilder
  /// What is told of the root to whoever stays in front of it.
  let reports: ReaperReports?

  /// There is a user namespace around it, in which only the user and group of this process are known.
  var hasOwnUsers: Bool { first.hasOwnUsers }

  private init(
    _ first: NamespaceInit, _ builder: ProcessBuilder, _ reports: ReaperReports?
  ) {
    (self.first, self.builder, self.reports) = (first, builder, reports)
  }

  /// An empty one. What is open in this process is open in its first process, too.
  static func make(_ restoration: Restoration) throws(CheckpointError) -> ProcessNamespace {
    let reports =
      restoration.options.isDetached
      ? nil : try about(nil) { () throws(SystemCallError) in try ReaperReports() }
    let first = try naming { () throws(NamespaceInit.Failure) in try NamespaceInit() }
    do throws(CheckpointError) {
      let thread = try TracedThread.takingHold(ofStub: first.process)
      let builder = try ProcessBuilder(ProcessState(), stub: thread, restoration)
      try builder.enter()
      try naming { () throws(NamespaceInit.Failure) in try first.mountProc(builder.injector) }
      // Whoever detaches wants nothing of this terminal.
      if restoration.options.isDetached { try builder.startSession() }
      return ProcessNamespace(first, builder, reports)
    } catch {
      first.end()
      throw error
    }
  }

  private static func naming<Value>(
    _ body: () throws(NamespaceInit.Failure) -> Value
  ) throws(CheckpointError) -> Value {
    do throws(NamespaceInit.Failure) {
      return try body()
    } catch {
      throw .noNamespace(error)
    }
  }

  /// The root of the tree, as a stub.
  func makeRoot(_ state: ProcessState) throws(CheckpointError) -> TracedThread {
    try builder.makeChild(state)
  }

  /// Lets the first process begin to reap. From now on it holds nothing of ours but what it runs on.
  ///
  /// - Parameter last: numbers go on from there.
  func start(root: Int32, last: Int32) throws(CheckpointError) {
    let injector = builder.injector!
    let leader = builder.leader
    var next: UInt64 = 0
    if let reports {
      try builder.call(
        .dup3, "dup3", UInt64(UInt32(bitPattern: reports.numberForChildren)), 0, 0)
      next = 1
    }
    try builder.call(.closeRange, "close_range", next, UInt64(UInt32.max), 0)
    try builder.call(.chdir, "chdir", try builder.put(Array("/".utf8) + [0]))
    try builder.call(
      .prctl, "prctl(PR_SET_NAME)", 15, try builder.put(Array("ftool-reaper".utf8) + [0]))
    // To ignore SIGCHLD, as this process may do, would hide from it how its children end.
    try builder.call(
      .rtSigaction, "rt_sigaction", 17, try builder.put(words: [0, 0, 0, 0]), 0, 8)
    try setLastNumber(last)
    let areas = try about(first.process) { () throws(SystemCallError) in
      try MemoryArea.all(of: first.process, withFlags: false)
    }
    let stackPointer = builder.stubRegisters!.stackPointer
    try inside(first.process) { () throws(InjectionError) in
      try first.shrink(areas, injector, stackPointer: stackPointer)
      try injector.leave()
    }
    let registers = try about(first.process) { () throws(SystemCallError) in
      try leader.registers()
    }
    try inside(first.process) { () throws(InjectionError) in
      try injector.remove(in: leader, registers: registers)
    }
    try about(first.process) { () throws(SystemCallError) in
      try leader.set(
        NamespaceInit.reaping(registers, root: root, report: reports == nil ? nil : 0))
      try leader.set(signalMask: .max)
      try leader.detach()
    }
    reports?.leave(to: first.process)
  }

  /// Who is born in here later shall not get the low numbers that elsewhere belong to the oldest processes, or
  /// the tree could be restored nowhere else. Where that can't be had, they begin low.
  private func setLastNumber(_ last: Int32) throws(CheckpointError) {
    let path = try builder.put(Array("/proc/sys/kernel/ns_last_pid".utf8) + [0])
    let text = Array("\(last)".utf8)
    let bytes = try builder.put(text, at: 256)
    try inside(first.process) { () throws(InjectionError) in
      let injector = builder.injector!
      let file = try injector.callForResult(.open, [path, 1])  // O_WRONLY
      if file < 0 { return }
      _ = try injector.callForResult(.write, [UInt64(file), bytes, UInt64(text.count)])
      _ = try injector.callForResult(.close, [UInt64(file)])
    }
  }

  /// Ends it, and all that is left in it.
  func end() { first.end() }
}

extension TracedThread {
  /// The only thread of a process that does nothing but wait, stopped and with all signals blocked. It ends
  /// with this process. Where that fails, it is ended.
  static func takingHold(ofStub stub: ProcessID) throws(CheckpointError) -> TracedThread {
    do throws(CheckpointError) {
      let thread = try about(stub) { () throws(SystemCallError) in
        try TracedThread(
          seizing: stub, of: stub, options: [.markSystemCalls, .clones, .forks, .endWithTracer])
      }
      try about(stub) { () throws(SystemCallError) in try thread.interrupt() }
      while true {
        let stop = try about(stub) { () throws(SystemCallError) in try thread.wait() }
        if stop == .interrupted { break }
        if stop?.isEnd ?? true { throw .vanished(stub) }
        try about(stub) { () throws(SystemCallError) in try thread.resume() }
      }
      try about(stub) { () throws(SystemCallError) in try thread.set(signalMask: .max) }
      return thread
    } catch {
      try? stub.send(signal: 9)
      while (try? stub.waitForEnd()) != nil {}
      throw error
    }
  }
}
