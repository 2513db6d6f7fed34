import LinuxSystem
import SystemPackage

/// A directory for one test, in TMPDIR or /tmp, removed with all that is in it when the test lets go.
package struct ScratchDirectory: ~Copyable, Sendable {
  package let path: String

  package init() throws {
    self.init(made: try Self.make())
  }

  private init(made path: String) { self.path = path }

  private static func make() throws -> String {
    let parent = try Files.realPath(Machine.environment("TMPDIR") ?? "/tmp")
    let path = "\(parent)/ftool-test-\(String(UInt64.random(in: .min ... .max), radix: 36))"
    try Files.makeDirectory(path, permissions: 0o700)
    return path
  }

  deinit { Self.remove(path) }

  /// The path of a name in it.
  package func path(_ name: String) -> String { "\(path)/\(name)" }

  /// Makes a file that is one hole; returns its path.
  @discardableResult
  package func sparseFile(_ name: String, byteCount: Int) throws -> String {
    try Files.createSparse(path(name), size: byteCount)
    return path(name)
  }

  /// Makes a file of these bytes; returns its path.
  @discardableResult
  package func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    let file = try OwnedDescriptor.open(
      path(name), access: .readWrite, options: [.create, .truncate])
    let buffer = AlignedBuffer(bytes)
    try file.write(buffer.bytes, range: 0..<bytes.count, at: 0)
    return path(name)
  }

  private static func remove(_ path: String) {
    for name in (try? Files.list(path)) ?? [] {
      let entry = "\(path)/\(name)"
      if (try? Files.unlink(entry)) == nil { remove(entry) }
    }
    try? Files.removeDirectory(path)  // what cannot be removed is for whoever cleans /tmp
  }
}
