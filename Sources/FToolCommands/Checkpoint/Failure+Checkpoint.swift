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
        "process \(process) would have stood still for more than \(durationText(limit)); it runs on, and was not saved",
        hint:
          "allow more with --max-freeze; 'ftool checkpoint check' says what has to be read while it stands still"
      )
    case .stopped: self.init(.failed, "it was stopped")
    case .vanished(let process):
      self.init(.notFound, "process \(process) has ended")
    case .unstoppable(let process):
      self.init(
        .busy, "process \(process) did not stop in time; it runs on",
        hint: "it may wait for a disk or for a program that it started: try again later")
    case .traced(let process, let tracer):
      self.init(
        .busy, "process \(process) is traced by process \(tracer)",
        hint: "end the debugger or tracer first")
    case .copyLost:
      self.init(
        .busy,
        "the copy of the program's memory was ended, as memory is short; the program runs on",
        hint: "try again when more memory is free, or with --leave stopped, which needs no copy")
    case .system(let error, let process):
      let plain = Failure(error)
      if error.call == "clone3", error.errno == .notPermitted, let process {
        self.init(
          .notPermitted, "process \(process) can't have its number again without a permission",
          hint: "run ftool as root, or give it CAP_CHECKPOINT_RESTORE; 'ftool doctor' says more")
        return
      }
      guard error.errno == .notPermitted || error.errno == .permissionDenied, let process else {
        self = plain
        return
      }
      self.init(
        .notPermitted, "process \(process): \(error.call): \(error.errno)",
        hint: "it belongs to another user, or this system lets nobody trace it: run ftool as root")
    case .injected(let error, let process):
      switch error {
      case .tracing(let error): self = Failure(.system(error, process: process))
      case .refused(let call, let errno):
        self.init(
          Failure.status(of: errno), "process \(process) could not make the call \(call): \(errno)")
      case .ended(let thread):
        self.init(.notFound, "process \(process) has ended (thread \(thread))")
      case .unexpected(let thread, _):
        self.init(.systemCall, "thread \(thread) of process \(process) stopped for another reason")
      }
    case .numberTaken(let process):
      self.init(
        .busy, "the number \(process) belongs to another process now",
        hint: "end that process, or wait until it ends; what was saved may itself still run")
    case .malformed(let error):
      self.init(.damaged, "the state in \(file) cannot be understood: \(error)")
    case .inconsistent(let what):
      self.init(.damaged, "the state in \(file) contradicts itself: \(what)")
    case .image(let error): self.init(error, file)
    }
  }

  private init(_ obstacles: [Obstacle]) {
    let all = obstacles.map(\.sentence)
    var remedies: [String] = []
    for remedy in obstacles.map(\.remedy) where !remedy.isEmpty && !remedies.contains(remedy) {
      remedies.append(remedy)
    }
    self.init(
      .failed, all.count == 1 ? all[0] : "\(all.count) obstacles: " + all.joined(separator: "; "),
      hint: remedies.isEmpty ? nil : remedies.joined(separator: "; "))
  }

  /// Why an image cannot be written or read.
  package init(_ error: ImageError, _ file: String) {
    switch error {
    case .notAnImage: self.init(.damaged, "\(file) was not written by 'ftool checkpoint save'")
    case .cutShort(let offset):
      self.init(.damaged, "\(file) ends at byte \(offset), before its end")
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
