import FToolCommands

@main enum Main {
  static func main() { FTool.runAndExit() }
}
