import SystemPackage

/// What the kernel lets this process do to others, found by doing it to a process that is made for that.
package enum KernelTrial: String, CaseIterable, Sendable {
  case trace = "ptrace"
  case takeDescriptor = "pidfd_getfd"
  case compare = "kcmp"
  case scanPages = "PAGEMAP_SCAN"
  case openMappedFiles = "map_files"
  case chooseNumber = "set_tid"
  case makeNamespace = "pid_namespace"
  case setMemoryMap = "PR_SET_MM_MAP"
  case userFault = "userfaultfd"

  /// Tries it; throws what the kernel says.
  package func run() throws(SystemCallError) {
    switch self {
    case .trace: try Self.withStub { (stub) throws(SystemCallError) in try Self.trace(stub) }
    case .takeDescriptor:
      try Self.withStub { (stub) throws(SystemCallError) in
        _ = try stub.openDescriptor().takeDescriptor(2)
      }
    case .compare:
      _ = try ProcessID.current.order(of: .file, with: .current, 2, 2)
    case .scanPages:
      guard let area = try MemoryArea.all(of: .current, withFlags: false).first else { return }
      _ = try PageScan(of: .current).runs(in: area.addresses, wanted: .present, excluded: .zero)
    case .openMappedFiles: try Self.openMappedFile()
    case .chooseNumber: try Self.chooseNumber()
    case .makeNamespace: try Self.makeNamespace()
    case .setMemoryMap: try Self.askMemoryMap()
    case .userFault:
      let made = try kernelCall(
        .userfaultfd, "userfaultfd", on: "this process", Int(PageFiller.flags))
      _ = OwnedDescriptor(owning: CInt(made), name: "userfaultfd")
    }
  }

  private static func trace(_ stub: ProcessID) throws(SystemCallError) {
    let thread = try TracedThread(seizing: stub, of: stub, options: .markSystemCalls)
    try thread.interrupt()
    _ = try thread.wait()
    _ = try thread.registers()
    try thread.detach()
  }

  private static func openMappedFile() throws(SystemCallError) {
    let areas = try MemoryArea.all(of: .current, withFlags: false)
    guard let area = areas.first(where: { $0.name.hasPrefix("/") }) else { return }
    let (from, to) = (area.addresses.lowerBound, area.addresses.upperBound)
    let name = "\(String(from, radix: 16))-\(String(to, radix: 16))"
    _ = try OwnedDescriptor.open("/proc/self/map_files/\(name)", access: .readOnly)
  }

  /// A number that is free, since its process has just ended.
  private static func chooseNumber() throws(SystemCallError) {
    var free = ProcessID(0)
    try withStub { (stub) in free = stub }
    try end(try StubProcess.make(id: free))
  }

  /// With a /proc of its own.
  private static func makeNamespace() throws(SystemCallError) {
    do throws(NamespaceInit.Failure) {
      let first = try NamespaceInit()
      defer { first.end() }
      try first.mountProc(try injector(in: first.process))
    } catch {
      switch error {
      case .refused(let error), .noProc(let error): throw error
      }
    }
  }

  private static func injector(
    in stub: ProcessID
  ) throws(NamespaceInit.Failure) -> CallInjector {
    do {
      let thread = try TracedThread(seizing: stub, of: stub, options: .markSystemCalls)
      try thread.interrupt()
      _ = try thread.wait()
      let areas = try MemoryArea.all(of: stub, withFlags: false)
      let registers = try thread.registers()
      let instruction = try CallInstruction.find(in: areas, ProcessMemory(of: stub)) ?? 0
      let injector = try CallInjector(
        in: thread, registers: registers, ownInstruction: instruction)
      try injector.enter(thread, registers: registers)
      return injector
    } catch let error as SystemCallError {
      throw .refused(error)
    } catch {
      throw .refused(
        SystemCallError(call: "ptrace", subject: "process \(stub)", errno: .notPermitted))
    }
  }

  /// PR_SET_MM_MAP_SIZE: whether the kernel was built with it.
  private static func askMemoryMap() throws(SystemCallError) {
    var size: [UInt32] = [0]
    try withAddress(of: &size) { (address) throws(SystemCallError) in
      try kernelCall(.prctl, "prctl(PR_SET_MM_MAP_SIZE)", on: "this process", 35, 15, address, 0, 0)
    }
  }

  private static func withStub(
    _ body: (ProcessID) throws(SystemCallError) -> Void
  ) throws(SystemCallError) {
    let stub = try StubProcess.make(id: nil)
    do throws(SystemCallError) {
      try body(stub)
    } catch {
      try? end(stub)  // the first error is the one to tell
      throw error
    }
    try end(stub)
  }

  private static func end(_ stub: ProcessID) throws(SystemCallError) {
    try stub.send(signal: 9)
    var status: [Int32] = [0]
    try withAddress(of: &status) { (address) throws(SystemCallError) in
      try kernelCall(.wait4, "wait4", on: "process \(stub)", Int(stub.number), address, 0x4000_0000)
    }
  }
}
