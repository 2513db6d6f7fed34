import BinaryCodec
import LinuxSystem
import SystemPackage

/// A copy-on-write copy of a stopped process's memory, which stays as it was when the process runs on.
///
/// The process is made to fork, and its child to make a process that shares the child's memory; then the child
/// is ended and the process is made to wait for it. What is left is nobody's child but init's: the process
/// has no child that it did not make, gets no signal, and its wait(2) finds nothing. The copy never runs.
final class FrozenCopy {
  let memory: CopiedMemory
  private let thread: TracedThread

  /// What the copy takes of the process by reference, so that nothing is closed or unlocked later than it
  /// would be: CLONE_FS | CLONE_FILES. No signal at its end.
  private static let sharing: UInt64 = 0x200 | 0x400
  /// CLONE_VM
  private static let sharedMemory: UInt64 = 0x100
  /// __WALL
  private static let anyChild: UInt64 = 0x4000_0000

  /// Of a process that was taken down and stands still.
  init(of capture: ProcessCapture) throws(CheckpointError) {
    let id = capture.process.id
    let leader = capture.threads[0]
    let pin = ProcessorPin(processor: capture.process.status.processor)
    defer { pin.release() }
    let injector = try capture.makeInjector()
    var made: TracedThread?
    var failure: CheckpointError?
    do throws(CheckpointError) {
      made = try inside(id) { () throws(InjectionError) in
        try Self.make(with: injector, in: leader, capture.areas, capture.process.remains)
      }
    } catch {
      failure = error
    }
    do throws(CheckpointError) {
      try inside(id) { () throws(InjectionError) in
        try injector.leave()
        try injector.remove(in: leader.thread, registers: leader.registersToResume)
      }
    } catch {
      failure = failure ?? error
    }
    capture.process.heldSignals += injector.heldSignals
    try? leader.thread.setOptions(leader.thread.options.subtracting(.clones))
    if let made, failure == nil {
      do throws(SystemCallError) {
        memory = try CopiedMemory(of: made.process)
        thread = made
        // The first to go when memory gets short.
        let text = Array("1000".utf8)
        try OwnedDescriptor.open("\(made.process.folder)/oom_score_adj", access: .writeOnly)
          .writeStream(text.rawBytes, range: 0..<text.count)
        return
      } catch {
        failure = .system(error, process: id)
      }
    }
    if let made { Self.end(made) }
    throw failure ?? .vanished(id)
  }

  private static func make(
    with injector: CallInjector, in leader: ThreadCapture, _ areas: [MemoryArea],
    _ remains: [ProcessID]
  ) throws(InjectionError) -> TracedThread {
    do throws(SystemCallError) {
      try leader.thread.setOptions(leader.thread.options.union(.clones))
    } catch {
      throw .tracing(error)
    }
    try injector.enter(leader.thread, registers: leader.registersToResume)
    try takeAway(remains, injector)
    let child = try injector.clone(flags: sharing)
    var copy: TracedThread?
    var failure: InjectionError?
    do throws(InjectionError) {
      copy = try injector.clone(flags: sharing | sharedMemory, in: child.thread).thread
    } catch {
      failure = error
    }
    end(child.thread)
    do throws(InjectionError) {
      try injector.call(
        .wait4, "wait4", [UInt64(UInt32(bitPattern: child.number)), 0, anyChild, 0])
      if let copy {
        // Out of the program's session and group: their numbers shall be free when the program has ended.
        _ = try injector.callForResult(.setsid, [], in: copy)
        try letGo(of: areas, in: copy, injector)
      }
    } catch {
      failure = failure ?? error
    }
    if let failure {
      if let copy { end(copy) }
      throw failure
    }
    return copy!
  }

  /// Children of saves that were killed, for which the program would not wait.
  private static func takeAway(
    _ remains: [ProcessID], _ injector: CallInjector
  ) throws(InjectionError) {
    for id in remains {
      // By the number that the program knows.
      guard let number = (try? ProcessStatus(of: id))?.numbers("NSpid").last else { continue }
      // WNOHANG
      _ = try injector.callForResult(.wait4, [number, 0, anyChild | 1, 0])
    }
  }

  /// What is shared is not the copy's: who counts its users shall not count it.
  private static func letGo(
    of areas: [MemoryArea], in copy: TracedThread, _ injector: CallInjector
  ) throws(InjectionError) {
    for area in areas where area.isShared {
      _ = try injector.callForResult(
        .munmap, [area.addresses.lowerBound, area.byteCount], in: copy)
    }
  }

  private static func end(_ thread: TracedThread) {
    try? thread.id.send(signal: 9)
    while let stop = try? thread.wait(), !stop.isEnd { try? thread.resume() }
  }

  /// Has it end; `remove` is to be called all the same.
  func letGo() { try? thread.id.send(signal: 9) }

  /// Ends the copy.
  func remove() { Self.end(thread) }
}

/// The memory of such a copy. It is read through /proc, which leaves pages shared; process_vm_readv would
/// give the copy a page of its own for each.
final class CopiedMemory: MemorySource {
  let process: ProcessID
  private let memory: ProcessMemory

  init(of process: ProcessID) throws(SystemCallError) {
    self.process = process
    memory = try ProcessMemory(of: process)
  }

  func read(into buffer: inout MutableRawSpan, _ areas: [Range<UInt64>]) throws(CheckpointError) {
    var done = 0
    for area in areas {
      let range = done..<done + area.count
      let got = try? memory.read(into: &buffer, range: range, at: area.lowerBound)
      guard got == area.count else { throw .copyLost }
      done += area.count
    }
  }

  func confirm() throws(CheckpointError) {
    if !process.standsStill { throw .copyLost }
  }
}
