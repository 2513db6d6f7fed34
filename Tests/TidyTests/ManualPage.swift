/// A page of the manual: its sections, and the options that it describes.
struct ManualPage {
  let text: String
  private let lines: [[Substring]]

  init(_ text: String) {
    self.text = text
    lines = text.split(separator: "\n").map { $0.split(separator: " ") }
  }

  /// The titles of its sections.
  var sections: [String] {
    lines.filter { $0.first == ".Sh" }.map { $0.dropFirst().joined(separator: " ") }
  }

  /// The options that have an item of their own.
  var describedOptions: Set<String> {
    Set(lines.filter { $0.first == ".It" && $0.dropFirst().first == "Fl" }.flatMap(Self.options))
  }

  /// The options in the synopsis.
  var synopsisOptions: Set<String> {
    guard let start = lines.firstIndex(of: [".Sh", "SYNOPSIS"]) else { return [] }
    let synopsis = lines[(start + 1)...].prefix { $0.first != ".Sh" }
    return Set(synopsis.flatMap(Self.options))
  }

  /// The commands that have an item of their own, as in `.It Cm create`.
  var describedCommands: Set<String> {
    Set(lines.filter { $0.count == 3 && $0[0] == ".It" && $0[1] == "Cm" }.map { String($0[2]) })
  }

  /// The pages of ours that it names, as `name.section`.
  var references: Set<String> {
    let named = lines.filter { $0.first == ".Xr" && $0.count > 2 && $0[1].hasPrefix("ftool") }
    return Set(named.map { "\($0[1]).\($0[2])" })
  }

  /// The values that options take literally, wherever they stand.
  var words: Set<Substring> {
    Set(text.split { $0.isWhitespace || $0 == "," })
  }

  /// In mdoc, `Fl n , -dry-run` is `-n, --dry-run`, and `Fl nyf` is three flags in one.
  private static func options(_ line: [Substring]) -> [String] {
    guard let flag = line.firstIndex(where: { $0 == "Fl" || $0 == ".Fl" }) else { return [] }
    let names = line[(flag + 1)...].prefix { !["Ar", "Cm", "Ns"].contains($0) }
    return names.filter { $0 != "," }.flatMap { name in
      name.hasPrefix("-") ? ["-\(name)"] : name.map { "-\($0)" }
    }
  }
}
