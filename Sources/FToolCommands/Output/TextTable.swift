/// Rows of cells as aligned columns of text, two blanks apart.
package struct TextTable: Sendable {
  /// To which side a column leans.
  package enum Alignment: Sendable {
    /// Text.
    case leading
    /// Numbers.
    case trailing
  }

  private let headings: [String]
  private let alignments: [Alignment]
  private var rows: [[String]] = []

  /// A table with headings, in capitals by custom. Columns without an alignment lean to the left.
  package init(_ headings: [String], alignments: [Alignment] = []) {
    self.headings = headings
    self.alignments = alignments
  }

  /// Adds a row with as many cells as there are headings.
  package mutating func append(_ cells: [String]) {
    precondition(cells.count == headings.count, "a row has as many cells as there are headings")
    rows.append(cells)
  }

  /// The table, each line ended, no blanks at line ends.
  package func text(_ style: TextStyle) -> String {
    var widths = headings.map(\.count)
    for row in rows {
      for (column, cell) in row.enumerated() {
        widths[column] = max(widths[column], Self.visibleCount(cell))
      }
    }
    let body = rows.map { line($0, widths) + "\n" }.joined()
    return style.strong(line(headings, widths)) + "\n" + body
  }

  private func line(_ cells: [String], _ widths: [Int]) -> String {
    var line = ""
    for (column, cell) in cells.enumerated() {
      let blanks = String(repeating: " ", count: widths[column] - Self.visibleCount(cell))
      let leansRight = column < alignments.count && alignments[column] == .trailing
      line += column > 0 ? "  " : ""
      line += leansRight ? blanks + cell : cell + blanks
    }
    while line.last == " " { line.removeLast() }
    return line
  }

  /// Characters without the escape sequences that paint them.
  private static func visibleCount(_ cell: String) -> Int {
    var count = 0
    var isEscape = false
    for character in cell {
      if character == "\u{1B}" {
        isEscape = true
      } else if isEscape {
        isEscape = character != "m"
      } else {
        count += 1
      }
    }
    return count
  }
}
