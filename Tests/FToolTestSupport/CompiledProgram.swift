import LinuxSystem

/// A little C program from the folder `Programs` beside a test's source, compiled for that test.
package struct CompiledProgram {
  package let path: String

  package struct NotCompiled: Error { package let text: String }

  package init(
    _ name: String, in scratch: borrowing ScratchDirectory, options: [String] = [],
    test: String = #filePath
  ) throws {
    path = scratch.path(name)
    let source = Files.directory(of: test) + "/Programs/\(name).c"
    let outcome = try BuiltTool.run(
      program: try Programs.require("cc"), ["-O1", "-pthread", "-o", path, source] + options)
    if outcome.status != 0 { throw NotCompiled(text: outcome.errorText) }
  }

  /// Runs it with output and errors in a file, in a session of its own.
  package func start(_ arguments: [String], output: String) throws -> StartedProgram {
    try StartedProgram(path, arguments, output: output)
  }
}

extension ScratchDirectory {
  /// A file's content.
  package borrowing func text(_ name: String) throws -> String {
    String(decoding: try Files.contents(of: path(name)), as: UTF8.self)
  }
}
