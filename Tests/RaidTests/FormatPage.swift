import FToolTestSupport
import LinuxSystem
import Testing

/// The tables of man/ftool-raid-format.5, so that a test reads members by what the page says of them and by
/// nothing of the product.
struct FormatPage {
  struct Field {
    let offset: Int
    /// nil where the page gives none.
    let byteCount: Int?
    let text: String
  }

  /// By section.
  private let tables: [String: [Field]]

  init() throws {
    let path =
      Files.directory(of: Files.directory(of: GoldenArchive.folder)) + "/man/ftool-raid-format.5"
    var tables: [String: [Field]] = [:]
    var section = ""
    for line in String(decoding: try Files.contents(of: path), as: UTF8.self).split(separator: "\n")
    {
      if line.hasPrefix(".Ss ") { section = String(line.dropFirst(4)) }
      // The second table of a section is named after its first word.
      if line == "A region:" { section = "Region" }
      guard line.hasPrefix(".It ") else { continue }
      let columns = line.dropFirst(4).split(separator: " Ta ", maxSplits: 2).map(String.init)
      guard columns.count == 3, let offset = Int(columns[0]) else { continue }
      let byteCount = Int(columns[1].split(separator: " ")[0])
      tables[section, default: []].append(
        Field(offset: offset, byteCount: byteCount, text: columns[2]))
    }
    self.tables = tables
  }

  /// The field of a section that is called so, or else the only one whose text begins so.
  func field(_ section: String, _ text: String) throws -> Field {
    let fields = tables[section, default: []]
    if let exact = fields.first(where: { $0.text == text }) { return exact }
    let found = fields.filter { $0.text.hasPrefix(text) }
    try #require(found.count == 1, "\(section): \(text)")
    return found[0]
  }

  /// Whether a section's fields follow each other without a gap.
  func isGapless(_ section: String) -> Bool {
    let fields = tables[section] ?? []
    return !fields.isEmpty
      && zip(fields, fields.dropFirst()).allSatisfy { $0.offset + ($0.byteCount ?? 0) == $1.offset }
  }
}
