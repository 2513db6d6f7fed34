import Testing

@Suite struct TreeTests {
  @Test func `nothing else stands at the top`() throws {
    let known: Set<String> = [
      "Package.swift", "Package.resolved", "Sources", "Tests", "man", "README.md", "Makefile",
      "LICENSE", "CHANGELOG.md",
    ]
    let names = try ProjectTree.ownNames()
    for name in names where !name.hasPrefix(".") { #expect(known.contains(name)) }
    for name in known.subtracting(["Package.resolved"]) { #expect(names.contains(name)) }
  }

  @Test func `no file knows where somebody works`() throws {
    // Put together here, so that this file does not have them in it.
    let homes = ["/ho" + "me/", "/ro" + "ot/", "/Us" + "ers/", "/tm" + "p/wt"]
    var files = try ["Sources", "Tests", "man"].flatMap { try ProjectTree.files(below: $0) }
    files += ["Package.swift", "README.md", "Makefile", "CHANGELOG.md", ".ci/run"]
    for file in files {
      guard let text = ProjectTree.text(file) else { continue }
      for home in homes { #expect(!text.contains(home), "\(file) has \(home) in it") }
    }
  }

  @Test func `the README is short and has the two commands`() {
    let readme = ProjectTree.text("README.md") ?? ""
    #expect(readme.split(separator: "\n", omittingEmptySubsequences: false).count < 150)
    #expect(readme.contains("make demo") && readme.contains("make check"))
  }

  @Test func `the changes of this version are told`() throws {
    let version = try BuiltToolText.of("--version").split { $0.isWhitespace }.last ?? "?"
    #expect((ProjectTree.text("CHANGELOG.md") ?? "").contains("\n## \(version)"))
  }

  @Test func `nothing is public, since nobody imports us`() throws {
    for file in try ProjectTree.files(below: "Sources") where file.hasSuffix(".swift") {
      for line in (ProjectTree.text(file) ?? "").split(separator: "\n") {
        let code = line.drop { $0 == " " }
        #expect(!code.hasPrefix("public ") && !code.hasPrefix("open "), "\(file): \(code)")
      }
    }
  }
}
