import FToolTestSupport
import LinuxSystem
import Testing

/// A little C program beside the tests, compiled for one of them.
struct CompiledProgram {
  let path: String

  init(_ name: String, in scratch: borrowing ScratchDirectory, options: [String] = []) throws {
    path = scratch.path(name)
    let compiler = try Programs.require("cc")
    let source = Files.directory(of: #filePath) + "/Programs/\(name).c"
    let outcome = try BuiltTool.run(
      program: compiler, ["-O1", "-pthread", "-o", path, source] + options)
    try #require(outcome.status == 0, "\(outcome.errorText)")
  }

  /// Runs it with output and errors in a file, in a session of its own.
  func start(_ arguments: [String], output: String) throws -> StartedProgram {
    try StartedProgram(path, arguments, output: output)
  }
}

extension ScratchDirectory {
  /// A file's content.
  borrowing func text(_ name: String) throws -> String {
    String(decoding: try Files.contents(of: path(name)), as: UTF8.self)
  }
}
