import FToolTestSupport
import LinuxSystem
import SystemPackage
import Testing

/// A folder with members in it, and the built ftool that is run there as a script would run it.
struct Workbench: ~Copyable {
  /// What came of a command.
  struct Run {
    let words: String
    let status: Int32?
    let bytes: [UInt8]
    let error: String

    var output: String { String(decoding: bytes, as: UTF8.self) }
    /// The object on standard output.
    var json: ParsedJSON { get throws { try ParsedJSON(output) } }
    /// The last line on standard error, where data goes to standard output.
    var errorJSON: ParsedJSON {
      get throws { try ParsedJSON(String(error.split(separator: "\n").last ?? "")) }
    }
    var remark: Comment { "$ ftool \(words)\n\(output.prefix(3000))\(error) => \(status ?? -1)" }
  }

  let folder: ScratchDirectory

  init() throws { folder = try ScratchDirectory() }

  /// Nothing of the machine's own state is read or written.
  var environment: [String: String] {
    ["XDG_STATE_HOME": folder.path("state"), "NO_COLOR": "1", "LC_ALL": "C"]
  }

  /// Runs `ftool` with the words of a line, and expects how it ends.
  @discardableResult
  func ftool(
    _ line: String, ends status: Int32 = 0, input: [UInt8] = [], timeoutSeconds: Double = 120,
    at location: SourceLocation = #_sourceLocation
  ) throws -> Run {
    let words = line.split(separator: " ").map(String.init)
    let outcome = try BuiltTool.run(
      words, input: input, environment: environment, directory: folder.path,
      timeoutSeconds: timeoutSeconds)
    let run = Run(
      words: line, status: outcome.status, bytes: outcome.output, error: outcome.errorText)
    #expect(!outcome.timedOut, "it hangs: \(run.remark.rawValue)", sourceLocation: location)
    #expect(run.status == status, run.remark, sourceLocation: location)
    return run
  }

  /// Runs a line of a shell, in which `ftool` is the built one.
  func shell(_ line: String, timeoutSeconds: Double = 120) throws -> Run {
    let outcome = try BuiltTool.run(
      program: "/bin/bash", ["-c", "ftool() { \"\(try BuiltTool.path)\" \"$@\"; }\n\(line)"],
      environment: environment, directory: folder.path, timeoutSeconds: timeoutSeconds)
    return Run(
      words: line, status: outcome.status, bytes: outcome.output, error: outcome.errorText)
  }

  /// Starts `ftool` and lets it run.
  func start(_ line: String) throws -> ToolProcess {
    try ToolProcess(
      program: try BuiltTool.path, line.split(separator: " ").map(String.init),
      environment: environment, directory: folder.path)
  }

  /// An array of a few MiB, whose name is `photos`; its members are `m0.img` and on.
  func makeArray(
    level: String = "5", members: Int = 3, size: String = "6M", _ options: String = "",
    at location: SourceLocation = #_sourceLocation
  ) throws {
    try ftool(
      "raid create photos \(Self.names(members)) --make \(size) --level \(level) --chunk 64K "
        + "--homehost here \(options)",
      at: location)
  }

  /// Like `makeArray`, with bytes in it, which are returned.
  func makeFilledArray(
    level: String = "5", members: Int = 3, size: String = "6M", bytes count: Int = 3_000_000,
    _ options: String = "", at location: SourceLocation = #_sourceLocation
  ) throws -> [UInt8] {
    // RAID 1 and linear have no chunks.
    try ftool(
      "raid create photos \(Self.names(members)) --make \(size) --level \(level) "
        + (["1", "linear", "mirror"].contains(level) ? "" : "--chunk 64K ")
        + "--homehost here \(options)", at: location)
    let bytes = Self.noise(count)
    try ftool("raid write m0.img", input: bytes, at: location)
    return bytes
  }

  /// `m0.img m1.img …`
  static func names(_ count: Int) -> String {
    (0..<count).map { "m\($0).img" }.joined(separator: " ")
  }

  /// Bytes that look like chance and are the same at every run.
  static func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 8)
    while bytes.count < count {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      withUnsafeBytes(of: state) { bytes.append(contentsOf: $0) }
    }
    return Array(bytes.prefix(count))
  }

  func contents(_ name: String) throws -> [UInt8] {
    try Files.contents(of: folder.path(name), limit: 1 << 30)
  }

  /// All files in the folder and what is in them.
  func snapshot() throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for name in try Files.list(folder.path) where try Files.kind(of: folder.path(name)) == .regular
    {
      files[name] = try contents(name)
    }
    return files
  }

  /// Writes bytes into a file, which others may not notice.
  func damage(_ name: String, at offset: Int, _ bytes: [UInt8]) throws {
    let file = try OwnedDescriptor.open(folder.path(name), access: .readWrite)
    let buffer = AlignedBuffer(bytes)
    try file.write(buffer.bytes, range: 0..<bytes.count, at: offset)
  }

  func remove(_ name: String) throws { try Files.unlink(folder.path(name)) }

  /// Where a member's data begins.
  func dataOffset(_ member: String, superblockAt place: Int = 4096) throws -> Int {
    let superblock = Array(try contents(member)[place..<place + 4096])
    return superblock[128..<136].reversed().reduce(0) { $0 << 8 | Int($1) } * 512
  }

  /// Waits until a process has written as much as a pipe holds whose other end nobody reads.
  func waitUntilFull(_ process: borrowing ToolProcess) throws {
    let deadline = Machine.monotonicSeconds() + 30
    while Machine.monotonicSeconds() < deadline {
      let lines = String(
        decoding: try Files.contents(of: "/proc/\(process.processID)/io"), as: UTF8.self
      )
      .split(separator: "\n")
      let written = lines.first { $0.hasPrefix("wchar: ") }.flatMap { Int($0.dropFirst(7)) } ?? 0
      if written >= 64 << 10 { return }
      Machine.sleep(seconds: 0.01)
    }
  }

  /// Waits until `status` says that a job runs; false when none came.
  func waitForJob(on array: String = "m0.img", timeoutSeconds: Double = 30) throws -> Bool {
    let deadline = Machine.monotonicSeconds() + timeoutSeconds
    while Machine.monotonicSeconds() < deadline {
      let outcome = try BuiltTool.run(
        ["raid", "status", array, "--json"], environment: environment, directory: folder.path)
      if let status = try? ParsedJSON(outcome.outputText),
        status["operation"]["phase"].string == "running"
      {
        return true
      }
      Machine.sleep(seconds: 0.05)
    }
    return false
  }
}
