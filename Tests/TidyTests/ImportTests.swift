import Testing

/// Imports go down only: what no compiler flag catches (a module that is reached through another) is
/// caught here.
@Suite struct ImportTests {
  private let table = DependencyTable(packageText: ProjectTree.text("Package.swift") ?? "")

  /// Modules of the toolchain, and who may use them.
  private func isAllowed(_ module: String, in target: DependencyTable.Target) -> Bool {
    let isTest = target.path.hasPrefix("Tests/")
    switch module {
    case "Swift", "Synchronization": return true
    case "Testing": return isTest
    case "FoundationEssentials": return isTest || target.name == "FToolCommands"
    // Only one module makes system calls; tests start and stop programs.
    case "Glibc": return isTest || target.name == "LinuxSystem"
    default: return target.dependencies.contains(module)
    }
  }

  private func imports(of file: String) -> [String] {
    var isInString = false
    return (ProjectTree.text(file) ?? "").split(separator: "\n").compactMap { line in
      // Programs of other languages stand in strings of several lines.
      if line.contains("\"\"\"") { isInString.toggle() }
      if isInString { return nil }
      let words = line.split(separator: " ")
      guard let keyword = words.firstIndex(of: "import") else { return nil }
      // Attributes and access stand in front; a kind (`import struct M.S`) may stand behind.
      guard words[..<keyword].allSatisfy({ $0.hasPrefix("@") || $0 == "package" }) else {
        return nil
      }
      let kinds: Set<Substring> = [
        "struct", "class", "enum", "func", "var", "protocol", "typealias",
      ]
      let name = words[(keyword + 1)...].first { !kinds.contains($0) }
      return name.map { String($0.prefix { $0 != "." }) }
    }
  }

  @Test func `the table was read`() {
    #expect(table.targets.count >= 20)
    let raid = table.targets.first { $0.name == "Raid" }
    #expect(raid?.dependencies.contains("BlockStorage") == true)
    #expect(raid?.dependencies.contains("SystemPackage") == true)
    #expect(table.target(of: "Tests/RaidTests/A.swift")?.name == "RaidTests")
  }

  @Test func `every import is one that Package.swift allows`() throws {
    // The fuzzers are targets only when they are asked for.
    for file in try ProjectTree.swiftFiles() where !file.hasPrefix("Tests/Fuzz/") {
      let target = try #require(table.target(of: file), "\(file) belongs to no target")
      for module in imports(of: file) {
        #expect(isAllowed(module, in: target), "\(file) imports \(module)")
      }
    }
  }
}
