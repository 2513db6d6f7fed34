import FToolTestSupport
import FoundationEssentials

/// The files of the project, as this test was built from them.
enum ProjectTree {
  /// The folder that holds `Package.swift`.
  static let root: String = {
    var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    parts.removeLast(3)  // Tests, TidyTests and this file
    return parts.joined(separator: "/")
  }()

  /// The names of what stands in a folder.
  static func names(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(root)/\(folder)").sorted()
  }

  /// The names of what stands at the top and belongs to the project; in a clone, of what git knows: compilers
  /// leave files of their own.
  static func ownNames() throws -> Set<String> {
    let listed = try? BuiltTool.run(program: "git", ["-C", root, "ls-files"])
    guard let listed, listed.status == 0, !listed.outputText.isEmpty else {
      return Set(try names(in: ""))
    }
    return Set(
      listed.outputText.split(separator: "\n").map { String($0.prefix { $0 != "/" }) })
  }

  /// The paths of all files below a folder, from the root on.
  static func files(below folder: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: "\(root)/\(folder)")
      .map { "\(folder)/\($0)" }.sorted()
  }

  /// A file's text; nil where it is none (pictures, archives).
  static func text(_ path: String) -> String? {
    guard let data = FileManager.default.contents(atPath: "\(root)/\(path)") else { return nil }
    return String(bytes: data, encoding: .utf8)
  }

  /// All Swift sources, the package's own map not among them.
  static func swiftFiles() throws -> [String] {
    try (files(below: "Sources") + files(below: "Tests")).filter { $0.hasSuffix(".swift") }
  }
}
