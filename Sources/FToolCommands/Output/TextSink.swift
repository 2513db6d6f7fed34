import LinuxSystem
import SystemPackage

/// A place that text goes to: a descriptor, or what a test looks at afterwards.
package struct TextSink: Sendable {
  /// Whether a person may be looking at it.
  package let isTerminal: Bool
  private let columns: @Sendable () -> Int?
  private let emit: @Sendable (String) throws(Errno) -> Void

  /// Any place: `columns` is asked for each time, since windows change.
  package init(
    isTerminal: Bool, columns: @escaping @Sendable () -> Int? = { nil },
    emit: @escaping @Sendable (String) throws(Errno) -> Void
  ) {
    self.isTerminal = isTerminal
    self.columns = columns
    self.emit = emit
  }

  /// The place behind a descriptor, which stays open.
  package init(_ descriptor: FileDescriptor) {
    self.init(
      isTerminal: Terminal.isTerminal(descriptor),
      columns: { Terminal.columnCount(of: descriptor) },
      emit: { text throws(Errno) in
        do {
          try descriptor.writeAll(text.utf8)
        } catch {
          throw error as? Errno ?? .ioError
        }
      })
  }

  /// The width of a terminal, nil where there is none.
  package var columnCount: Int? { isTerminal ? columns() : nil }

  /// Writes all of the text at once.
  package func write(_ text: String) throws(Errno) {
    if !text.isEmpty { try emit(text) }
  }

  /// How text may look here: in colour only on a terminal, and not where `NO_COLOR` is set to
  /// anything or the terminal is a dumb one.
  package func style(environment: @Sendable (String) -> String?) -> TextStyle {
    let isRefused = environment("NO_COLOR").map { !$0.isEmpty } ?? false
    let isDumb = environment("TERM") == "dumb"
    return TextStyle(isColoured: isTerminal && !isRefused && !isDumb, columnCount: columnCount)
  }
}
