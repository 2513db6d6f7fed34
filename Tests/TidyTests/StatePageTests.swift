import Testing

/// Every field of the state has its line in the page of the format, and every line there is a field.
@Suite struct StatePageTests {
  @Test func `the page of the format has every field by its number and name`() throws {
    let page = try #require(ProjectTree.text("man/ftool-checkpoint-format.5"))
    let described = Self.described(in: page)
    var coded: Set<Field> = []
    for path in try ProjectTree.files(below: "Sources/Checkpointing") {
      guard let text = ProjectTree.text(path) else { continue }
      coded.formUnion(Self.coded(in: text))
    }
    #expect(coded.count > 200)
    #expect(coded.subtracting(described).map(\.description).sorted() == [])
    #expect(described.subtracting(coded).map(\.description).sorted() == [])
  }

  private struct Field: Hashable, CustomStringConvertible {
    var structure: String
    var number: Substring
    var name: Substring

    var description: String { "\(structure) \(number) \(name)" }
  }

  /// `.Ss ProcessState` or `.Ss PipeEnd.Detail: kind pipe`, and below it `.It 1 Ta id Ta …`.
  private static func described(in page: String) -> Set<Field> {
    var fields: Set<Field> = []
    var structure = ""
    for line in page.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words[0] == ".Ss" { structure = String(words[1].prefix { $0 != ":" }) }
      if words[0] == ".Sh" { structure = "" }
      guard words.count > 4, words[0] == ".It", words[2] == "Ta", words[4] == "Ta",
        structure.first?.isUppercase == true, Int(words[1]) != nil, words[3].first?.isLetter == true
      else { continue }
      fields.insert(Field(structure: structure, number: words[1], name: words[3]))
    }
    return fields
  }

  /// `try coder.field(1, &id)` within the types that the indentation shows.
  private static func coded(in source: String) -> Set<Field> {
    var fields: Set<Field> = []
    var types: [(indent: Int, name: Substring)] = []
    for line in source.split(separator: "\n") {
      let indent = line.prefix { $0 == " " }.count
      let words = line.split(separator: " ")
      types.removeAll { indent <= $0.indent && words[0] != "}" }
      if let keyword = words.firstIndex(where: {
        ["struct", "enum", "class", "extension"].contains($0)
      }), words[..<keyword].allSatisfy({ $0.allSatisfy(\.isLetter) }), words.count > keyword + 1,
        line.hasSuffix("{")
      {
        types.append((indent, words[keyword + 1].prefix { $0 != ":" }))
      }
      guard words.count > 2, words[0] == "try", words[1].hasPrefix("coder.field(") else { continue }
      let number = words[1].dropFirst("coder.field(".count).prefix(while: \.isNumber)
      let name = words[2].dropFirst().prefix { $0.isLetter || $0.isNumber }
      fields.insert(
        Field(
          structure: types.map { String($0.name) }.joined(separator: "."), number: number,
          name: name))
    }
    return fields
  }
}
