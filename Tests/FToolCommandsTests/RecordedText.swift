import FToolCommands
import Synchronization

/// What was written to a sink, for a test to look at.
final class RecordedText: Sendable {
  private let written = Mutex("")
  private let isTerminal: Bool
  private let columnCount: Int?

  init(isTerminal: Bool = false, columnCount: Int? = nil) {
    self.isTerminal = isTerminal
    self.columnCount = columnCount
  }

  var text: String { written.withLock { $0 } }

  var lines: [String] { text.split(separator: "\n").map(String.init) }

  var sink: TextSink {
    TextSink(isTerminal: isTerminal, columns: { [columnCount] in columnCount }) { [self] text in
      written.withLock { $0 += text }
    }
  }
}
