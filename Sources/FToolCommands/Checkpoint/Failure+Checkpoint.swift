import CheckpointFormat
import Checkpointing
import Compression
import LinuxSystem
import SystemPackage

extension Failure {
  /// What kept a tree from being saved or brought back, as a sentence. `file`: what the user calls the image.
  package init(_ error: CheckpointError, _ file: String = "the image") {
    switch error {
    case .obstacles(let obstacles): self.init(obstacles)
    case .changedFiles(let files, let areGone):
      self.init(files)
      status = areGone ? .notFound : .damaged
    case .frozenTooLong(let process, let limit):
      self.init(
        .busy,
        "process \(process) would have stood still for more than \(durationText(limit)); it runs on",
        hint:
          "allow more with --max-freeze; without it, 'ftool checkpoint check' says what has to be read while it stands still"
      )
    case .stopped: self.init(.failed, "it was stopped")
    case .vanished(let process):
      self.init(.notFound, "process \(process) has ended")
    case .unstoppable(let process, let sleep):
      switch sleep {
      case .childOfVfork:
        self.init(
          .busy,
          "process \(process) did not stop: it waits in vfork(2) until a process that it made calls exec or ends",
          hint: "try again when that has happened")
      case .inKernel(let place):
        let name = place.isEmpty || place == "0" ? "" : " (in \(place))"
        self.init(
          .busy,
          "process \(process) did not stop: it waits in the kernel\(name), where no signal wakes it; it runs on",
          hint: "a disk or a network file system may not answer: try again when it does")
      case nil:
        self.init(
          .busy, "process \(process) did not stop in time; it runs on", hint: "try again later")
      }
    case .traced(let process, let tracer):
      self.init(
        .busy, "process \(process) is traced by process \(tracer)",
        hint: Self.isTool(tracer)
          ? "that is an ftool at work on it: try again when it has ended"
          : "end the debugger or tracer first")
    case .copyLost:
      self.init(
        .busy,
        "the copy of the program's memory was ended, as memory is short; the program runs on",
        hint: "try again when more memory is free, or with --leave stopped, which needs no copy")
    case .system(let error, let process):
      self = Failure(error, of: process)
      // What is not as the image says is no fault of an operand.
      if case .usage = status { status = .damaged }
    case .forbidden(let obstacles): self.init(obstacles, .notPermitted)
    case .noNamespace(let failure): self.init(failure)
    case .injected(let error, let process):
      switch error {
      case .tracing(let error): self = Failure(.system(error, process: process))
      case .refused(let call, let errno):
        self.init(
          Failure.status(of: errno), "process \(process) could not make the call \(call): \(errno)",
          hint: Self.wayToRoom(errno))
      case .ended(let thread):
        self.init(.notFound, "process \(process) has ended (thread \(thread))")
      case .unexpected(let thread, _):
        self.init(.systemCall, "thread \(thread) of process \(process) stopped for another reason")
      }
    case .numberTaken(let process):
      self.init(
        .busy, "the number \(process) belongs to another process now",
        hint:
          "pass --pid any, or end that process, or wait until it ends; what was saved may itself still run"
      )
    case .malformed(let error):
      self.init(.damaged, "the state in \(file) cannot be understood: \(error)")
    case .inconsistent(let what):
      self.init(.damaged, "the state in \(file) contradicts itself: \(what)")
    case .image(let error): self.init(error, file)
    }
  }

  /// What keeps a process from having a few pages more.
  private static func wayToRoom(_ errno: Errno) -> String? {
    switch errno {
    case .noMemory:
      "it has no room for a few pages more: raise its RLIMIT_AS or RLIMIT_DATA with prlimit(1), or vm.max_map_count"
    case .resourceTemporarilyUnavailable:
      "where it locks all its memory (mlockall), its RLIMIT_MEMLOCK may have no room for a few pages more: raise it with prlimit(1)"
    default: nil
    }
  }

  /// By its name.
  private static func isTool(_ process: ProcessID) -> Bool {
    (try? ProcessStatus(of: process))?.name == Array("ftool".utf8)
  }

  /// What the kernel refused about a process.
  private init(_ error: SystemCallError, of process: ProcessID?) {
    if error.call == "clone3", error.errno == .noFunction {
      self.init(
        .notPermitted, "a filter on system calls (seccomp) keeps clone3 from being used",
        hint: "in a container, allow it (docker: --security-opt seccomp=unconfined)")
      return
    }
    guard error.errno == .notPermitted || error.errno == .permissionDenied, let process,
      !error.subject.hasPrefix("/") || error.subject.hasPrefix("/proc/")
    else {
      self = Failure(error)
      return
    }
    self.init(
      .notPermitted, "process \(process): \(error.call): \(error.errno)",
      hint: Self.wayAround(tracing: process))
  }

  /// Why somebody may not look into a process, as far as can be seen.
  private static func wayAround(tracing process: ProcessID) -> String {
    let owners = (try? ProcessStatus(of: process))?.numbers("Uid") ?? []
    if Machine.userID != 0, !owners.isEmpty,
      owners.contains(where: { $0 != UInt64(Machine.userID) })
    {
      return "it belongs to another user: run ftool as that one or as root"
    }
    switch TracingLimits.tracingScope ?? 0 {
    case 1 where Machine.userID != 0:
      return
        "here a program may trace only its own descendants: run ftool as root, or: sysctl kernel.yama.ptrace_scope=0"
    case 2 where Machine.userID != 0:
      return "here only root may trace: run ftool as root, or: sysctl kernel.yama.ptrace_scope=0"
    case 3: return "here nobody may trace until the next start (kernel.yama.ptrace_scope is 3)"
    default: break
    }
    if TracingLimits.hasFilter {
      return
        "a filter on system calls (seccomp) is on ftool, and may forbid it: in a container, allow ptrace (docker: --cap-add SYS_PTRACE)"
    }
    return
      "it may not be looked into, as one that changed its user or has capabilities: run ftool as root"
  }

  /// Why a pid namespace could not be made, which is the only way without privileges.
  private init(_ failure: NamespaceInit.Failure) {
    let sysctls = TracingLimits.againstUserNamespaces
    let remedy =
      sysctls.isEmpty
      ? "in a container, allow user namespaces (docker: --security-opt seccomp=unconfined)"
      : "or let users make namespaces: sysctl " + sysctls.joined(separator: " ")
    switch failure {
    case .refused(let error):
      self.init(
        .notPermitted,
        "process numbers may not be chosen here, and no user and pid namespace may be made where they may: \(error.errno)",
        hint:
          "run ftool as root or with CAP_CHECKPOINT_RESTORE; \(remedy); 'ftool doctor' says more")
    case .noProc(let error):
      self.init(
        .notPermitted,
        "a pid namespace of its own can't have its own /proc: \(error.call): \(error.errno)",
        hint:
          "in a container parts of /proc are covered (docker: --security-opt systempaths=unconfined); run ftool as root outside of it"
          + (sysctls.isEmpty ? "" : "; \(remedy)"))
    }
  }

  private init(_ obstacles: [Obstacle], _ status: ExitStatus = .failed) {
    func remedy(_ obstacle: Obstacle) -> String? {
      obstacle.remedy.isEmpty ? nil : obstacle.remedy
    }
    if obstacles.count == 1 {
      self.init(status, obstacles[0].sentence, hint: remedy(obstacles[0]))
    } else {
      self.init(status, "\(obstacles.count) obstacles")
      particulars = obstacles.map { Particular($0.sentence, hint: remedy($0)) }
    }
  }

  /// Why an image cannot be written or read.
  package init(_ error: ImageError, _ file: String) {
    switch error {
    case .notAnImage: self.init(.damaged, "\(file) was not written by 'ftool checkpoint save'")
    case .cutShort(offset: 0): self.init(.damaged, "\(file) is empty")
    case .cutShort(let offset):
      self.init(.damaged, "\(file) is cut short: it ends at byte \(offset)")
    case .checksum(_, let offset):
      self.init(.damaged, "\(file) is damaged at byte \(offset): a checksum does not agree")
    case .malformed(let field, let offset):
      self.init(.damaged, "\(file) is damaged at byte \(offset): \(field.rawValue)")
    case .trailingBytes(let offset):
      self.init(.damaged, "\(file) goes on behind its end at byte \(offset)")
    case .newerVersion(let version):
      self.init(
        .configuration,
        "\(file) has version \(version) of the format, which this ftool does not know",
        hint: "use a newer ftool")
    case .otherArchitecture(let machine):
      self.init(
        .configuration, "\(file) was saved on another kind of machine (ELF number \(machine))")
    case .unknownFeatures(let bits):
      self.init(
        .configuration,
        "\(file) needs features that this ftool does not know: 0x"
          + String(bits, radix: 16), hint: "use a newer ftool")
    case .codecNotBuiltIn(let codec):
      self.init(
        .configuration,
        "\(file) is compressed with \(codec.name), which this ftool was built without",
        hint: "install its development package and build ftool again")
    case .outOfMemory: self.init(.systemCall, "there is no memory to compress with")
    case .system(let error): self.init(error)
    }
  }
}
