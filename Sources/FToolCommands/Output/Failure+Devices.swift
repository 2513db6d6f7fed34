import BlockStorage
import LinuxSystem
import SystemPackage

extension Failure {
  /// A system call that failed, as a sentence: what was done to what, and the kernel's reason.
  package init(_ error: SystemCallError) {
    let message =
      switch error.errno {
      case .notBlockDevice: "\(error.subject) is neither a file nor a block device"
      case .isDirectory: "\(error.subject) is a directory"
      default: "\(error.subject): \(error.call): \(error.errno)"
      }
    self.init(Self.status(of: error.errno), message, hint: Self.hint(for: error.errno))
  }

  /// A device that did not do what it was asked; `name` is what the user calls it.
  package init(_ error: DeviceError, on name: String) {
    let reason = error.errno.map { ": \($0)" } ?? ""
    switch error {
    case .unreadable(let offset, _):
      self.init(.inputOutput, "\(name) cannot be read at byte \(offset)\(reason)")
    case .unwritable(let offset, _):
      self.init(.inputOutput, "\(name) cannot be written at byte \(offset)\(reason)")
    case .full(let offset):
      self.init(
        .inputOutput, "there is no room for \(name) at byte \(offset)",
        hint:
          "make room on its filesystem, or raise the limit on the size of files (ulimit -f), and run the command "
          + "again")
    case .flushFailed:
      self.init(
        .inputOutput, "\(name) cannot be flushed\(reason)",
        hint: "what was written to it since the last flush may be lost")
    case .gone:
      self.init(.inputOutput, "\(name) is gone\(reason)")
    case .truncated(let offset):
      self.init(.inputOutput, "\(name) ends before byte \(offset): it became shorter")
    }
  }

  /// What ends a program that wants so many bytes of memory more and gets none.
  init(outOfMemory byteCount: Int) {
    self.init(
      .systemCall, "there is no memory for \(ByteSize(byteCount))",
      hint:
        "end other programs, or raise the limit that 'ulimit -v' shows; what was being written is as after "
        + "a crash, and 'ftool raid status' says what to do")
  }

  /// What an error of the kernel means to a script.
  package static func status(of errno: Errno) -> ExitStatus {
    switch errno {
    case .noSuchFileOrDirectory, .notDirectory: .notFound
    case .notBlockDevice, .isDirectory: .usage
    case .permissionDenied, .notPermitted, .readOnlyFileSystem: .notPermitted
    case .resourceBusy, .textFileBusy, .wouldBlock: .busy
    case .fileExists: .wouldOverwrite
    case .ioError, .noSpace, .diskQuotaExceeded, .fileTooLarge, .brokenPipe,
      .badFileDescriptor, .noSuchAddressOrDevice:
      .inputOutput
    default: .systemCall
    }
  }

  private static func hint(for errno: Errno) -> String? {
    switch errno {
    case .permissionDenied, .notPermitted: "look at its owner and mode, or run as another user"
    case .readOnlyFileSystem: "the filesystem is mounted read-only"
    case .noSpace, .diskQuotaExceeded: "make room and run the command again"
    case .badFileDescriptor: "it was closed when ftool was started"
    case .tooManyOpenFiles: "raise the limit with 'ulimit -n'"
    default: nil
    }
  }
}
