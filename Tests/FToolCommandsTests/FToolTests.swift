import FToolCommands
import Testing

@Suite struct FToolTests {
  @Test func `help and version end well`() {
    #expect(RunningTool("--help").status == 0)
    #expect(RunningTool("--help").output.contains("SUBCOMMANDS"))
    #expect(RunningTool("help", "raid", "create").output.contains("--level"))
    #expect(RunningTool("raid", "create", "--help").output.contains("--level"))
    #expect(RunningTool("--version").output == "ftool \(FTool.version)\n")
    #expect(RunningTool("--version", "--json").output.hasPrefix(#"{"type":"version""#))
    #expect(RunningTool("version").output == "ftool \(FTool.version)\n")
  }

  @Test func `JSON of help and version is one object`() {
    #expect(
      RunningTool("version", "--json").output
        == #"{"type":"version","schema":1,"version":"\#(FTool.version)","warnings":[]}"# + "\n")
    let help = RunningTool("raid", "list", "--help", "--json").output
    #expect(help.hasPrefix(#"{"type":"help","schema":1,"#) && help.hasSuffix("}\n"))
  }

  @Test func `no command and unknown commands are wrong usage`() {
    for tool in [RunningTool(), RunningTool("raid"), RunningTool("--json")] {
      #expect(tool.status == 64)
    }
    let unknown = RunningTool("raid", "crate")
    #expect(unknown.status == 64)
    #expect(unknown.output.isEmpty)
    #expect(unknown.error.hasPrefix("ftool: error: 'ftool raid' has no command 'crate'\n"))
    #expect(unknown.error.contains("ftool: hint: there are create, list"))
    #expect(RunningTool("help", "crate").status == 64)
  }

  @Test func `wrong options are one error and one hint`() {
    let tool = RunningTool("raid", "create", "x", "a", "b", "--level", "7")
    #expect(tool.status == 64)
    #expect(
      tool.error == """
        ftool: error: the value '7' is invalid for '--level <level>': levels are linear, 0, 1, 4, \
        5, 6, 10 and ec:K+M
        ftool: hint: see 'ftool raid create --help'

        """)
  }

  @Test func `wrong options under JSON are one object on standard output`() {
    let tool = RunningTool("raid", "list", "--json", "extra")
    #expect(tool.status == 64)
    #expect(tool.error.isEmpty)
    #expect(tool.output.hasPrefix(#"{"type":"error","schema":1,"code":64,"message":"unexpected"#))
  }

  @Test func `where data would go to standard output, the error does not`() {
    for arguments in [["--offset", "q"], ["--offset", "q", "-o", "-"]] {
      let tool = RunningTool(["raid", "read", "a", "--json"] + arguments)
      #expect(tool.output.isEmpty && tool.error.hasPrefix(#"{"type":"error""#))
    }
    for option in [["-o", "f"], ["--output=f"]] {
      let tool = RunningTool(["raid", "read", "a", "--json", "--offset", "q"] + option)
      #expect(tool.error.isEmpty && tool.output.hasPrefix(#"{"type":"error""#))
    }
  }

  @Test func `options may stand in front of the command`() {
    #expect(RunningTool("--json", "version").output.hasPrefix("{"))
    #expect(RunningTool("--progress", "plain", "version").status == 0)
    #expect(RunningTool("--nonsense", "version").status == 64)
  }

  @Test func `behind two dashes nothing is an option`() throws {
    let verb = try #require(try FTool.verb(["raid", "status", "--", "--json"]) as? RaidStatus)
    #expect(verb.operand.array == ["--json"])
    #expect(!verb.global.json)
  }

  @Test func `there are no abbreviations`() {
    #expect(RunningTool("version", "--js").status == 64)
    #expect(RunningTool("vers").status == 64)
  }

  @Test(arguments: ["bash", "zsh", "fish"]) func `there is completion for`(shell: String) {
    let tool = RunningTool("completion", shell)
    #expect(tool.status == 0)
    #expect(tool.output.contains("assume-clean"))
  }
}
