import LinuxSystem

/// A loop device on a file, for tests that need a real block device; detached when its owner lets go.
package struct LoopDevice: ~Copyable {
  package let path: String

  /// Whether this machine lets us make one.
  package static let isAvailable: Bool = {
    guard Machine.userID == 0, Files.exists("/dev/loop-control"),
      let outcome = try? BuiltTool.run(program: "losetup", ["--find"])
    else { return false }
    return outcome.status == 0
  }()

  package struct Refused: Error { package let reason: String }

  package init(_ file: String, sectorByteCount: Int = 512) throws {
    let arguments = ["--find", "--show", "--sector-size", String(sectorByteCount), file]
    let outcome = try BuiltTool.run(program: "losetup", arguments)
    guard outcome.status == 0 else { throw Refused(reason: outcome.errorText) }
    path = outcome.outputText.split(separator: "\n").first.map(String.init) ?? ""
  }

  deinit { _ = try? BuiltTool.run(program: "losetup", ["--detach", path]) }
}
