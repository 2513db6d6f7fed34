import LinuxSystem
import SystemPackage

/// Stops all threads of a process tree and lets go of them again.
///
/// A thread that runs may make threads and processes, so the tree is listed again until a whole round
/// finds nobody new: those that were found stand still and make nobody.
final class ProcessFreezer {
  private(set) var processes: [FrozenProcess] = []
  let root: ProcessID
  private let withDescendants: Bool
  private let limit: Duration
  private var deadline = ContinuousClock.now
  private var stopped: Set<ProcessID> = []
  private var isReleasing = false
  private var pin: ProcessorPin?
  /// Threads that could not be let go of, since they never stood still: only then can they be.
  private var lingering: [ProcessID: TracedThread] = [:]

  init(root: ProcessID, withDescendants: Bool, limit: Duration) {
    self.root = root
    self.withDescendants = withDescendants
    self.limit = limit
  }

  private static let releasePatience = Duration.milliseconds(200)
  /// In seconds: a stop takes until its process is next on a processor.
  private static let stopPatience = 1.0

  /// Stops them all. When it throws, all run on.
  func freeze() throws(CheckpointError) {
    deadline = .now + limit
    do throws(CheckpointError) {
      while try stopNewcomers() {}
      setRemaindersApart()
      for process in processes where !process.isZombie {
        let id = process.id
        process.status = try about(id) { () throws(SystemCallError) in try ProcessStatus(of: id) }
      }
      // Where the first of them is asked; others may be elsewhere.
      pin = ProcessorPin(processor: processes.first?.status.processor)
      for process in processes {
        process.stoppedChildren = processes.filter {
          $0.stopSignal != nil && $0.status.parent == process.id
        }.map(\.id)
      }
    } catch {
      release()
      throw error
    }
  }

  /// This thread, which has taken the tree down, runs on any processor again.
  func unpin() {
    pin?.release()
    pin = nil
  }

  /// Lets all of them run on as they are now; those that had been stopped stay so.
  func release() {
    unpin()
    isReleasing = true
    defer { isReleasing = false }
    deadline = .now + Self.releasePatience
    // Children first, so that their parents find them stopped that were.
    for process in processes.reversed() {
      for signal in Set(process.heldSignals) { try? process.id.send(signal: signal) }
      for thread in process.threads where thread.isAttached {
        // One that has ended meanwhile needs nothing.
        if !thread.isStopped { try? bringToStop(thread, of: process) }
        if let registers = process.unsettled[thread.id] {
          // A signal may have come since the thread was looked at: then it ends the call, as it would have.
          try? thread.leadToSignals(with: registers)
        }
        guard thread.isStopped else {
          if thread.isAttached { lingering[thread.id] = thread }
          continue
        }
        try? thread.detach()
      }
      if process.stopSignal != nil { process.id.awaitStop(seconds: Self.stopPatience) }
    }
    processes = []
    stopped = []
  }

  /// Lets go of all of them as stopped processes. Returns those that were not before, children first: so their
  /// parents don't find them stopped when they go on in this order.
  func releaseStopped() -> [ProcessID] {
    var stopped: [ProcessID] = []
    for process in processes where process.stopSignal == nil && !process.isZombie {
      try? process.id.send(signal: Self.stop)
      process.stopSignal = Self.stop
      stopped.append(process.id)
    }
    release()
    return stopped.reversed()
  }

  /// SIGSTOP
  private static let stop: Int32 = 19

  /// One round. Returns whether somebody new was found.
  private func stopNewcomers() throws(CheckpointError) -> Bool {
    var found = false
    for id in try tree() {
      do throws(CheckpointError) {
        found = try stopNewcomers(of: id) || found
      } catch {
        // A descendant that ended before it stood still is a zombie in the next round, or nobody.
        guard case .vanished(id) = error, id != root else { throw error }
        forget(id)
        found = true
      }
    }
    return found
  }

  /// What an earlier save has left is no part of the tree.
  private func setRemaindersApart() {
    for process in processes {
      process.remains = processes.filter {
        $0.status.parent == process.id && $0.isRemainder(of: process)
      }.map(\.id)
    }
    let remains = Set(processes.flatMap(\.remains))
    processes.removeAll { remains.contains($0.id) }
  }

  private func forget(_ id: ProcessID) {
    for process in processes where process.id == id {
      for thread in process.threads {
        stopped.remove(thread.id)
        if thread.isAttached, thread.isStopped { try? thread.detach() }
      }
    }
    processes.removeAll { $0.id == id }
  }

  private func stopNewcomers(of id: ProcessID) throws(CheckpointError) -> Bool {
    let process = try self.process(id)
    if process.isZombie { return false }
    let threads = try about(id, { () throws(SystemCallError) in try id.threads() }).filter {
      !stopped.contains($0)
    }
    // The first one last: while it is traced, signals that the process ignores wake others all the same.
    try stop(threads.filter { $0 != id }, of: process)
    try stop(threads.filter { $0 == id }, of: process)
    process.threads.removeAll { !$0.isAttached }
    process.threads.sort { ($0.id == id ? 0 : 1, $0.id) < ($1.id == id ? 0 : 1, $1.id) }
    return threads.contains { stopped.contains($0) }
  }

  private func stop(_ threads: [ProcessID], of process: FrozenProcess) throws(CheckpointError) {
    var newcomers: [TracedThread] = []
    for thread in threads {
      process.notes[thread] = SleepNote(of: thread)
      guard let traced = try seize(thread, of: process.id) else { continue }
      newcomers.append(traced)
      process.threads.append(traced)
      stopped.insert(thread)
    }
    for thread in newcomers { try bringToStop(thread, of: process) }
  }

  /// All processes there are now, parents first.
  private func tree() throws(CheckpointError) -> [ProcessID] {
    var tree = [root]
    var next = 0
    while withDescendants && next < tree.count {
      let id = tree[next]
      next += 1
      do throws(CheckpointError) {
        let children = try about(id) { () throws(SystemCallError) in try id.children() }
        tree += children.filter { !tree.contains($0) }
      } catch {
        if case .vanished = error, id != root { continue }
        throw error
      }
    }
    return tree
  }

  private func process(_ id: ProcessID) throws(CheckpointError) -> FrozenProcess {
    if let known = processes.first(where: { $0.id == id }) { return known }
    let status = try about(id) { () throws(SystemCallError) in try ProcessStatus(of: id) }
    if let tracer = status.tracer, lingering[id] == nil { throw .traced(id, by: tracer) }
    let process = FrozenProcess(id, status: status)
    processes.append(process)
    return process
  }

  /// nil for a thread that has ended. Somebody who has seized it since its status was read is named; where they have
  /// let go of it by now, it is tried once more.
  private func seize(
    _ thread: ProcessID, of process: ProcessID, isAgain: Bool = false
  ) throws(CheckpointError) -> TracedThread? {
    do throws(SystemCallError) {
      if let known = lingering.removeValue(forKey: thread) {
        try known.interrupt()
        return known
      }
      let traced = try TracedThread(seizing: thread, of: process, options: .markSystemCalls)
      try traced.interrupt()
      return traced
    } catch {
      // One that has just ended may not be seized any more; the kernel says so with the one or the other.
      let state = (try? ProcessStatus(of: thread))?.state ?? "X"
      if error.errno == .noSuchProcess || state == "Z" || state == "X" {
        if thread != process { return nil }
        throw .vanished(process)
      }
      if error.errno == .notPermitted, !isAgain {
        if let tracer = try? ProcessStatus(of: thread).tracer { throw .traced(process, by: tracer) }
        return try seize(thread, of: process, isAgain: true)
      }
      throw .system(error, process: process)
    }
  }

  /// Waits until it stands, passing on the signals that come first.
  private func bringToStop(
    _ thread: TracedThread, of process: FrozenProcess
  ) throws(CheckpointError) {
    while true {
      guard let stop = try patientWait(for: thread) else {
        throw .unstoppable(process.id, DeepSleep(of: thread.id, in: process.id))
      }
      switch stop {
      case .interrupted: return
      case .groupStopped(let signal):
        process.stopSignal = signal
        return
      case .signal(let signal):
        // The handler's frame is built, or the default happens; then comes the stop that we ask for.
        try about(process.id) { () throws(SystemCallError) in
          try thread.interrupt()
          try thread.resume(signal: signal)
        }
      case .exited, .killed:
        if thread.id == process.id { throw .vanished(process.id) }
        return
      case .systemCall, .cloned, .event:
        try about(process.id) { () throws(SystemCallError) in
          try thread.interrupt()
          try thread.resume()
        }
      }
    }
  }

  /// A thread that waits for a dead disk stops late or never; one in vfork(2) not before its child, which may
  /// stand still already.
  private func patientWait(for thread: TracedThread) throws(CheckpointError) -> ThreadStop? {
    var pause = Duration.microseconds(20)
    while true {
      let stop = try about(thread.process) { () throws(SystemCallError) in
        try thread.wait(blocking: false)
      }
      if let stop { return stop }
      if ContinuousClock.now > deadline { return nil }
      Machine.sleep(seconds: pause / .seconds(1))
      if pause < .milliseconds(5) {
        pause *= 2
      } else if !isReleasing, withDescendants,
        DeepSleep(of: thread.id, in: thread.process) == .childOfVfork
      {
        throw .obstacles([.waitsForChild(thread)])
      }
    }
  }
}

extension Obstacle {
  fileprivate static func waitsForChild(_ thread: TracedThread) -> Obstacle {
    var obstacle = Obstacle(
      thread.process, "thread \(thread.id)",
      "it waits in vfork(2) until a process that it made calls exec or ends",
      remedy: "try again when that has happened")
    obstacle.isPassing = true
    return obstacle
  }
}
