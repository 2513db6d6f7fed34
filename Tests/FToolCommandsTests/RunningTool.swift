import FToolCommands

/// One command run inside the test, and what came of it.
struct RunningTool {
  let status: Int32
  let output: String
  let error: String

  init(_ arguments: String...) { self.init(arguments) }

  init(_ arguments: [String]) {
    let (output, error) = (RecordedText(), RecordedText())
    status = FTool.main(
      arguments: arguments,
      surroundings: Surroundings(standardOutput: output.sink, standardError: error.sink))
    self.output = output.text
    self.error = error.text
  }
}
