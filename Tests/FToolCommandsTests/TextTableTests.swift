import FToolCommands
import Testing

@Suite struct TextTableTests {
  @Test func `aligns columns and leaves no blanks at line ends`() {
    var table = TextTable(["NAME", "SIZE", "STATE"], alignments: [.leading, .trailing])
    table.append(["a.img", "1 GiB", "ok"])
    table.append(["longer.img", "512 B", ""])
    #expect(
      table.text(.plain) == """
        NAME         SIZE  STATE
        a.img       1 GiB  ok
        longer.img  512 B

        """)
  }

  @Test func `paint takes no room`() {
    let style = TextStyle(isColoured: true, columnCount: nil)
    var table = TextTable(["A", "B"])
    table.append([style.bad("failed"), "x"])
    table.append(["ok", "y"])
    let lines = table.text(style).split(separator: "\n")
    #expect(lines[1] == "\u{1B}[31mfailed\u{1B}[0m  x")
    #expect(lines[2] == "ok      y")
  }
}
