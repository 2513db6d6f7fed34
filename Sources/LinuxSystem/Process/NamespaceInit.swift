#if arch(x86_64)
  import CLinux
  import Glibc
  import SystemPackage

  /// The first process of a new pid namespace (pid_namespaces(7)), with a mount namespace in which /proc shows
  /// that one: in there every number is free, and whoever made it may choose numbers.
  ///
  /// Who has no rights gets them by a user namespace around it (user_namespaces(7)), in which user and group
  /// are those of this process and nobody else is known.
  package struct NamespaceInit: Sendable {
    package let process: ProcessID
    /// There is a user namespace around it.
    package let hasOwnUsers: Bool

    /// Why there is none, by the step that failed.
    package enum Failure: Error {
      /// The namespaces themselves: by a limit, a sysctl, a security module or a filter.
      case refused(SystemCallError)
      /// A /proc of its own: as in containers where parts of /proc are covered.
      case noProc(SystemCallError)
    }

    private enum Flags {
      static let mounts: UInt64 = 0x2_0000
      static let users: UInt64 = 0x1000_0000
      static let numbers: UInt64 = 0x2000_0000
    }

    /// Makes it, a clone of this process that only waits: without a user namespace where that is allowed.
    package init() throws(Failure) {
      do throws(SystemCallError) {
        do throws(SystemCallError) {
          process = try StubProcess.make(flags: Flags.mounts | Flags.numbers)
          hasOwnUsers = false
        } catch  where error.errno == .notPermitted {
          process = try StubProcess.make(flags: Flags.mounts | Flags.numbers | Flags.users)
          hasOwnUsers = true
        }
      } catch {
        throw .refused(error)
      }
      if !hasOwnUsers { return }
      do throws(SystemCallError) {
        try write("deny", to: "setgroups")
        try write("\(geteuid()) \(geteuid()) 1\n", to: "uid_map")
        try write("\(getegid()) \(getegid()) 1\n", to: "gid_map")
      } catch {
        end()
        throw .refused(error)
      }
    }

    private func write(_ text: String, to name: String) throws(SystemCallError) {
      let file = try OwnedDescriptor.open("\(process.folder)/\(name)", access: .writeOnly)
      let bytes = Array(text.utf8)
      // Safe: bytes have no padding. In one call, as the kernel wants it.
      try file.writeStream(unsafe bytes.span.bytes, range: 0..<bytes.count)
    }

    /// Ends it, and with it all that is in the namespace.
    package func end() {
      try? process.send(signal: SIGKILL)
      // A stop may be told first, where it is traced.
      while (try? process.waitForEnd()) != nil {}
    }

    // MARK: By calls that it is made to make

    /// Gives it its /proc. What is mounted elsewhere later is seen in there, too.
    package func mountProc(_ injector: CallInjector) throws(Failure) {
      func text(_ text: String, _ offset: Int) throws(InjectionError) -> UInt64 {
        try injector.put(Array(text.utf8) + [0], at: offset)
      }
      do throws(InjectionError) {
        // MS_REC | MS_SLAVE
        try injector.call(.mount, "mount", [0, try text("/", 0), 0, 0x4000 | 0x8_0000, 0])
        // MS_NOSUID | MS_NODEV | MS_NOEXEC
        let proc = try text("proc", 64)
        try injector.call(.mount, "mount", [proc, try text("/proc", 128), proc, 2 | 4 | 8, 0])
      } catch {
        throw .noProc(Self.systemError(error, "a /proc of its own"))
      }
    }

    private static func systemError(_ error: InjectionError, _ what: String) -> SystemCallError {
      switch error {
      case .tracing(let error): error
      case .refused(let call, let errno):
        SystemCallError(call: call, subject: what, errno: errno)
      case .ended, .unexpected:
        SystemCallError(call: "ptrace", subject: what, errno: .noSuchProcess)
      }
    }

    /// Lets go of all memory but the code of the reaper, the stack and what the injector needs to leave. It
    /// shall not keep a copy of this process's memory as long as the tree lives.
    package func shrink(
      _ areas: [MemoryArea], _ injector: CallInjector, stackPointer: UInt64
    ) throws(InjectionError) {
      let code = UInt64(UInt(clinux_reaper_address()))
      for area in areas {
        let isKept =
          area.addresses.contains(code) || area.addresses.contains(stackPointer)
          || area.name == "[stack]" || area.name == "[vdso]" || area.name.hasPrefix("[v")
          || area.addresses.overlaps(injector.scratch)
        if isKept { continue }
        _ = try injector.callForResult(.munmap, [area.addresses.lowerBound, area.byteCount])
      }
    }

    /// How it goes on as the reaper of the tree whose root has this number inside.
    ///
    /// - Parameter report: the descriptor, in that process, to which the root's stops and end are written.
    package static func reaping(
      _ registers: Registers, root: Int32, report: Int32?
    ) -> Registers {
      var registers = registers
      registers.currentCall = nil
      registers.instructionPointer = UInt64(UInt(clinux_reaper_address()))
      // As at a function's first instruction (System V ABI), past what the code may have below.
      registers.stackPointer = ((registers.stackPointer - 4096) & ~15) - 8
      registers.setArguments(
        UInt64(UInt32(bitPattern: root)), UInt64(bitPattern: Int64(report ?? -1)))
      return registers
    }
  }
#endif
