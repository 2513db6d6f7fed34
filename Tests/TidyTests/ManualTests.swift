import Testing

@Suite struct ManualTests {
  /// The options that every command has: pages describe them, but leave them out of the synopsis.
  private static let common: Set<String> = [
    "--json", "--progress", "-q", "--quiet", "-v", "--verbose", "--version", "-h", "--help",
  ]

  private let tree: CommandTree

  init() throws {
    tree = try CommandTree.ofBuiltTool()
  }

  private func page(_ name: String) throws -> ManualPage {
    ManualPage(try #require(ProjectTree.text("man/\(name)"), "there is no man/\(name)"))
  }

  @Test func `every command has a page, and every page of section 1 a command`() throws {
    let pages = try ProjectTree.names(in: "man").filter { $0.hasSuffix(".1") }
    #expect(Set(pages) == Set(tree.pages.keys.map { "\($0).1" }))
  }

  @Test func `every page has what pages have`() throws {
    for name in try ProjectTree.names(in: "man") {
      let sections = try page(name).sections
      #expect(sections.first == "NAME" && sections.last == "SEE ALSO", "\(name)")
      // A page of section 5 describes a format: nothing in it ends or is run.
      for needed in ["EXAMPLES", "EXIT STATUS"] where !name.hasSuffix(".5") {
        #expect(sections.contains(needed), "\(name) has no \(needed)")
      }
      if name.hasSuffix(".1") { #expect(sections.contains("SYNOPSIS"), "\(name)") }
    }
  }

  @Test func `every verb's page has exactly its options`() throws {
    for (name, command) in tree.pages where command.children.isEmpty {
      let page = try page("\(name).1")
      let options = command.optionNames
      #expect(page.describedOptions == options, "\(name)")
      // The synopsis has one spelling of each: the short one where there is one.
      let arguments = (command.arguments ?? []).compactMap { $0.names?.map(\.spelling) }
      for spellings in arguments where Self.common.isDisjoint(with: spellings) {
        let found = page.synopsisOptions.intersection(spellings)
        #expect(found.count == 1, "\(name): \(spellings) in the synopsis")
      }
      #expect(page.synopsisOptions.isSubset(of: options), "\(name): the synopsis has too much")
    }
  }

  @Test func `every value that an option takes by name is in its page`() throws {
    for (name, command) in tree.pages {
      let words = try page("\(name).1").words
      for value in (command.arguments ?? []).flatMap({ $0.allValues ?? [] }) {
        #expect(words.contains(Substring(value)), "\(name) does not name \(value)")
      }
    }
  }

  @Test func `the page of a group has its commands, and no option that there is not`() throws {
    for (name, command) in tree.pages where !command.children.isEmpty {
      let page = try page("\(name).1")
      let names = Set(command.children.map(\.commandName))
      #expect(names.isSubset(of: page.describedCommands), "\(name)")
      #expect(page.describedOptions.isSubset(of: tree.command.allOptionNames), "\(name)")
    }
    #expect(Self.common.isSubset(of: try page("ftool.1").describedOptions))
  }

  @Test func `pages refer to pages that there are`() throws {
    let names = Set(try ProjectTree.names(in: "man"))
    for name in names {
      for reference in try page(name).references {
        #expect(names.contains(reference), "\(name) refers to \(reference)")
      }
    }
  }
}
