import CLinux
import SystemPackage

/// What one process may ask and change of another by its number.
extension ProcessID {
  /// Sends a signal; 0 only asks whether the process is there.
  package func send(signal: Int32) throws(SystemCallError) {
    try kernelCall(.kill, "kill", on: "process \(self)", Int(number), Int(signal))
  }

  /// Whether there is such a process, a zombie included.
  package var exists: Bool {
    do throws(SystemCallError) {
      try send(signal: 0)
      return true
    } catch {
      return error.errno == .permissionDenied || error.errno == .notPermitted
    }
  }

  /// A descriptor for the process itself, whatever its number will mean later.
  package func openDescriptor(flags: Int = 0) throws(SystemCallError) -> OwnedDescriptor {
    let descriptor = try kernelCall(
      .pidfdOpen, "pidfd_open", on: "process \(self)", Int(number), flags)
    return OwnedDescriptor(owning: CInt(descriptor), name: "process \(self)")
  }

  /// Waits for the end of a child.
  package func waitForEnd() throws(SystemCallError) {
    // __WALL
    try kernelCall(.wait4, "wait4", on: "process \(self)", Int(number), 0, 0x4000_0000)
  }

  /// struct sched_attr of a thread.
  package func scheduling() throws(SystemCallError) -> [UInt8] {
    var attributes = [UInt8](repeating: 0, count: 56)
    let count = attributes.count
    try withAddress(of: &attributes) { (address) throws(SystemCallError) in
      try kernelCall(
        .schedGetattr, "sched_getattr", on: "process \(self)", Int(number), address, count, 0)
    }
    return attributes
  }

  package func set(scheduling: [UInt8]) throws(SystemCallError) {
    // Its first word says how long it is, and the kernel believes that.
    guard scheduling.count >= 48, Int(scheduling[0]) <= scheduling.count, scheduling[1] == 0 else {
      throw SystemCallError(
        call: "sched_setattr", subject: "process \(self)", errno: .invalidArgument)
    }
    var attributes = scheduling
    try withAddress(of: &attributes) { (address) throws(SystemCallError) in
      try kernelCall(
        .schedSetattr, "sched_setattr", on: "process \(self)", Int(number), address, 0)
    }
  }

  /// setpriority(2) of a thread: also the one that counts once its policy is an ordinary one.
  package func set(nice: Int32) throws(SystemCallError) {
    // PRIO_PROCESS
    try kernelCall(.setpriority, "setpriority", on: "process \(self)", 0, Int(number), Int(nice))
  }

  /// ioprio_get(2) of a thread: class and level; 0 where it has none of its own.
  package func ioPriority() throws(SystemCallError) -> UInt32 {
    let process = 1  // IOPRIO_WHO_PROCESS
    return UInt32(
      truncatingIfNeeded: try kernelCall(
        .ioprioGet, "ioprio_get", on: "process \(self)", process, Int(number)))
  }

  package func set(ioPriority: UInt32) throws(SystemCallError) {
    try kernelCall(
      .ioprioSet, "ioprio_set", on: "process \(self)", 1, Int(number), Int(ioPriority))
  }

  /// The cookie of a thread that shares a core only with its like (PR_SCHED_CORE); 0 for none.
  package func coreCookie() -> UInt64 {
    var cookie: [UInt64] = [0]
    // Kernels without it say so; then nobody has one.
    _ = try? withAddress(of: &cookie) { (address) throws(SystemCallError) in
      try kernelCall(
        .prctl, "prctl(PR_SCHED_CORE)", on: "process \(self)", 62, 0, Int(number), 0, address)
    }
    return cookie[0]
  }

  /// The processors that a thread may use: bit n of byte n / 8 for processor n.
  package func affinity() throws(SystemCallError) -> [UInt8] {
    var mask = [UInt64](repeating: 0, count: 128)
    let byteCount = mask.count * 8
    let used = try withAddress(of: &mask) { (address) throws(SystemCallError) in
      try kernelCall(
        .schedGetaffinity, "sched_getaffinity", on: "process \(self)", Int(number), byteCount,
        address)
    }
    return mask.prefix(used / 8).flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
    }
  }

  package func set(affinity: [UInt8]) throws(SystemCallError) {
    var mask = affinity
    let byteCount = mask.count
    try withAddress(of: &mask) { (address) throws(SystemCallError) in
      try kernelCall(
        .schedSetaffinity, "sched_setaffinity", on: "process \(self)", Int(number), byteCount,
        address)
    }
  }

  /// get_robust_list(2) of a thread: head and length.
  package func robustList() throws(SystemCallError) -> [UInt64] {
    var list: [UInt64] = [0, 0]
    try withAddress(of: &list) { (address) throws(SystemCallError) in
      try kernelCall(
        .getRobustList, "get_robust_list", on: "process \(self)", Int(number), address, address + 8)
    }
    return list
  }

  /// Limits of getrlimit(2): soft and hard of each resource in turn. By prlimit where that is allowed, else
  /// from /proc.
  package func limits() throws(SystemCallError) -> [UInt64] {
    var limits: [UInt64] = []
    for resource in 0..<16 {
      var pair: [UInt64] = [0, 0]
      do throws(SystemCallError) {
        try withAddress(of: &pair) { (address) throws(SystemCallError) in
          try kernelCall(
            .prlimit64, "prlimit", on: "process \(self)", Int(number), resource, 0, address)
        }
      } catch  where error.errno == .notPermitted {
        return try limitsFromText()
      }
      limits += pair
    }
    return limits
  }

  /// The lines of /proc/PID/limits stand in the order of the numbers but for these.
  private func limitsFromText() throws(SystemCallError) -> [UInt64] {
    let order = [
      "Max cpu time", "Max file size", "Max data size", "Max stack size", "Max core file size",
      "Max resident set", "Max processes", "Max open files", "Max locked memory",
      "Max address space", "Max file locks", "Max pending signals", "Max msgqueue size",
      "Max nice priority", "Max realtime priority", "Max realtime timeout",
    ]
    let text = String(decoding: try Files.contents(of: "\(folder)/limits"), as: UTF8.self)
    var limits = [UInt64](repeating: .max, count: 32)
    for line in text.split(separator: "\n") {
      guard let place = order.firstIndex(where: { line.hasPrefix($0) }) else { continue }
      let fields = line.dropFirst(order[place].count).split(separator: " ")
      for which in 0..<min(2, fields.count) {
        limits[2 * place + which] = UInt64(fields[which]) ?? .max  // "unlimited"
      }
    }
    return limits
  }
}

extension OwnedDescriptor {
  /// A descriptor of another process, as one of ours: the same open file description. `self` stands for the
  /// process.
  package borrowing func takeDescriptor(_ number: Int32) throws(SystemCallError) -> OwnedDescriptor
  {
    let taken = try kernelCall(
      .pidfdGetfd, "pidfd_getfd", on: "descriptor \(number) of \(name)", Int(descriptor),
      Int(number), 0)
    return OwnedDescriptor(owning: CInt(taken), name: "descriptor \(number) of \(name)")
  }
}

/// What kcmp(2) can compare.
package enum SharedResource: Int, Sendable {
  case file = 0
  case memory, descriptors, filesystem, signalHandlers, ioContext, semaphoreUndo
}

extension ProcessID {
  /// Whether two processes share a resource; for files, which descriptor of each.
  package func shares(
    _ resource: SharedResource, with other: ProcessID, _ mine: Int32 = 0, _ theirs: Int32 = 0
  ) throws(SystemCallError) -> Bool {
    try order(of: resource, with: other, mine, theirs) == 0
  }

  /// 0: the same; 1 and 2: an order among all that there are; 3: different, and no order.
  package func order(
    of resource: SharedResource, with other: ProcessID, _ mine: Int32 = 0, _ theirs: Int32 = 0
  ) throws(SystemCallError) -> Int {
    try kernelCall(
      .kcmp, "kcmp", on: "processes \(self) and \(other)", Int(number), Int(other.number),
      resource.rawValue, Int(mine), Int(theirs))
  }
}

/// A process that only waits, to be made into another one.
package enum StubProcess {
  /// Clones this process into one that waits, and is killed when this thread ends (PR_SET_PDEATHSIG, which whatever
  /// it becomes has until it sets something else). `id`: the number that it shall have.
  package static func make(id: ProcessID?) throws(SystemCallError) -> ProcessID {
    try make(flags: 0, numbers: id.map { [$0.number] } ?? [], deathSignal: 9)
  }

  /// The same for one that is killed when this thread ends, should it be there still.
  package static func makeCompanion() throws(SystemCallError) -> ProcessID {
    let made = clinux_spawn_companion()
    if made < 0 {
      throw SystemCallError(call: "clone3", subject: "a process", errno: Errno(rawValue: -made))
    }
    return ProcessID(made)
  }

  /// `flags`: of clone(2), such as namespaces. `numbers`: that it shall have, the innermost namespace first.
  static func make(
    flags: UInt64, numbers: [Int32] = [], deathSignal: Int32 = 0
  ) throws(SystemCallError) -> ProcessID {
    // CLONE_CLEAR_SIGHAND: none of our handlers, whose code it will not have.
    let flags: UInt64 = flags | 0x1_0000_0000
    var places = numbers + [0]
    let made = try withAddress(of: &places) { (address) throws(SystemCallError) in
      // Safe: the kernel reads as many numbers there, and the array outlives the call.
      let pointer = unsafe UnsafePointer<Int32>(bitPattern: address)
      let value = unsafe clinux_spawn_stub(
        flags, numbers.isEmpty ? nil : pointer, UInt64(numbers.count), deathSignal)
      if value < 0 {
        throw SystemCallError(
          call: "clone3",
          subject: numbers.first.map { "a process with number \($0)" } ?? "a process",
          errno: Errno(rawValue: -value))
      }
      return Int(value)
    }
    return ProcessID(Int32(made))
  }
}

extension ProcessID {
  /// From now on this process is left with what its descendants leave when they end, and is to wait for it:
  /// PR_SET_CHILD_SUBREAPER.
  package static func adoptOrphans() throws(SystemCallError) {
    try kernelCall(.prctl, "prctl(PR_SET_CHILD_SUBREAPER)", on: "this process", 36, 1)
  }
}
