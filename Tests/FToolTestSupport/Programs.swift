import LinuxSystem
import Testing

/// The programs that tests run, and that a machine may be without: found in PATH, or where
/// `Tests/programs.sh` unpacked them.
package enum Programs {
  /// The folder of what was fetched, or where it would be.
  package static let fetched: String = {
    let root = Files.directory(of: Files.directory(of: Files.directory(of: #filePath)))
    return "\(root)/.build/programs"
  }()

  /// Where a program is; nil where it is not.
  package static func path(of name: String) -> String? {
    if name.contains("/") { return Files.exists(name) ? name : nil }
    let folders = (Machine.environment("PATH") ?? "") + ":/usr/sbin:/sbin:\(fetched)/bin"
    return folders.split(separator: ":").lazy.map { "\($0)/\(name)" }.first(where: Files.exists)
  }

  /// Ends the test that asks, as one that could not be run, where a program is missing.
  ///
  /// The net below ``Testing/Trait/needs(_:)``, which also says so in the list of tests.
  @discardableResult
  package static func require(_ name: String) throws -> String {
    if let path = path(of: name) { return path }
    try Test.cancel("\(name) is not installed")
  }
}

extension Trait where Self == ConditionTrait {
  /// The test is skipped, which is reported, where one of these programs is missing.
  package static func needs(_ programs: String...) -> Self {
    let missing = programs.filter { Programs.path(of: $0) == nil }
    return .enabled(
      if: missing.isEmpty, "\(missing.joined(separator: " and ")) not installed")
  }
}
