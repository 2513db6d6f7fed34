/// How text may look where it goes: in colour or not, and how wide.
package struct TextStyle: Equatable, Sendable {
  /// Whether escape sequences are understood and wanted.
  package var isColoured: Bool
  /// Characters on a line; nil where lines may be as long as they like.
  package var columnCount: Int?

  /// Text without colour, of any width: what a pipe gets.
  package static let plain = TextStyle(isColoured: false, columnCount: nil)

  /// A style with its two properties.
  package init(isColoured: Bool, columnCount: Int?) {
    self.isColoured = isColoured
    self.columnCount = columnCount
  }

  /// Green: in order.
  package func good(_ text: String) -> String { painted(text, "32") }
  /// Yellow: a person should look at this.
  package func warning(_ text: String) -> String { painted(text, "33") }
  /// Red: lost, failed, wrong.
  package func bad(_ text: String) -> String { painted(text, "31") }
  /// Bold: headings.
  package func strong(_ text: String) -> String { painted(text, "1") }
  /// Faint: details.
  package func faint(_ text: String) -> String { painted(text, "2") }

  private func painted(_ text: String, _ code: String) -> String {
    isColoured && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }
}
