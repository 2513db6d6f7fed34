import FToolTestSupport
import LinuxSystem
import Testing

/// What all commands have in common.
@Suite struct CommandLineTests {
  private static let verbs = [
    "create", "list", "status", "examine", "read", "write", "scrub", "rebuild", "replace", "add",
    "remove", "fail", "recover", "wait", "wipe",
  ]

  @Test(arguments: verbs) func `every verb has help, and refuses what it does not know`(
    verb: String
  ) throws {
    let bench = try Workbench()
    let help = try bench.ftool("raid \(verb) --help")
    #expect(help.output.contains("USAGE: ftool raid \(verb)") && help.error == "", help.remark)
    for option in ["--json", "--quiet", "--progress"] { #expect(help.output.contains(option)) }
    let wrong = try bench.ftool("raid \(verb) --no-such-thing", ends: 64)
    #expect(wrong.output == "" && wrong.error.hasPrefix("ftool: error: "), wrong.remark)
    let json = try bench.ftool("raid \(verb) --no-such-thing --json", ends: 64)
    let object = verb == "read" ? try json.errorJSON : try json.json
    #expect(object["type"] == .string("error") && object["schema"] == .number(1), json.remark)
    #expect(object["code"] == .number(64) && object.has("hint"))
    // An abbreviation would be another option in a later version.
    try bench.ftool("raid \(verb) --jso", ends: 64)
  }

  @Test(arguments: verbs.filter { !["create", "list"].contains($0) })
  func `every verb knows when there is no such array`(verb: String) throws {
    let bench = try Workbench()
    let more =
      switch verb {
      case "replace": " --member a --onto b"
      case "add": " --new b"
      case "remove", "fail": " --member a"
      default: ""
      }
    let run = try bench.ftool("raid \(verb) nowhere.img\(more) --json", ends: 66)
    let object = verb == "read" ? try run.errorJSON : try run.json
    #expect(
      object["code"] == .number(66) && object["message"].string?.contains("nowhere.img") == true)
    #expect(!Files.exists(bench.folder.path("nowhere.img")))
  }

  @Test func `options may stand anywhere`() throws {
    let bench = try Workbench()
    try bench.makeArray()
    for line in [
      "--json raid status m0.img", "raid --json status m0.img", "raid status --json -- m0.img",
    ] {
      #expect(try bench.ftool(line).json["type"] == .string("raid-status"))
    }
    try bench.ftool("raid", ends: 64)
    try bench.ftool("", ends: 64)
    let typo = try bench.ftool("raid statsu m0.img", ends: 64)
    #expect(typo.error.contains("'ftool raid' has no command 'statsu'"), typo.remark)
  }

  @Test func `the examples of the manual work`() throws {
    let bench = try Workbench()
    let session = try bench.shell(
      """
      set -euxo pipefail
      mkdir Pictures && head -c 700000 /dev/urandom > Pictures/cat.raw
      # ftool(1)
      ftool raid create photos a.img b.img c.img --make 16M
      tar -cf - Pictures | ftool raid write a.img b.img c.img
      mv b.img lost; mv lost ..  2> /dev/null || true
      ftool raid read a.img c.img | tar -tf - | grep cat.raw
      truncate -s 16M new.img
      ftool raid rebuild a.img c.img --onto new.img
      # ftool-raid-status(1), list(1), wait(1)
      ftool raid status a.img
      ftool raid status photos --test --quiet
      ftool raid list --scan .
      ftool raid wait photos && echo done
      # ftool-raid-read(1), write(1)
      ftool raid read photos -o photos.img
      ftool raid read a.img c.img | tar -xf - -C /dev/null 2> /dev/null || true
      ftool raid read a.img --length 512 | od -c | head -1
      head -c 4096 /dev/urandom > block.bin
      ftool raid write photos --offset 1M -i block.bin
      # ftool-raid-scrub(1)
      ftool raid scrub photos
      ftool raid scrub photos --repair never --rate 50M
      # ftool-raid-fail(1), remove(1), add(1), rebuild(1)
      ftool raid fail photos --member c.img
      ftool raid remove photos --member c.img
      truncate -s 16M d.img spare.img
      ftool raid add photos --new d.img
      ftool raid rebuild photos
      ftool raid add photos --new spare.img --spare
      ftool raid fail photos --member new.img
      ftool raid rebuild photos --member new.img --verify
      ftool raid status photos --test
      # ftool-raid-replace(1)
      mkdir other && truncate -s 16M other/b.img
      ftool raid replace photos --member new.img --onto other/b.img
      # ftool-raid-wipe(1)
      ftool raid wipe c.img --dry-run
      ftool raid wipe c.img --yes
      # ftool-raid-create(1)
      ftool raid create cold e{1..12}.img --make 4M --level ec:9+3
      ftool raid status cold --test
      ftool completion bash > bash; ftool completion zsh > zsh; ftool completion fish > fish
      """)
    #expect(session.status == 0, session.remark)
    #expect(session.output.contains("Pictures/cat.raw") && session.output.contains("done\n"))
    // A script of bash's own opinion.
    #expect(try bench.shell("bash -n bash && grep -q raid bash && grep -q raid fish").status == 0)
    _ = try? Files.unlink(Files.directory(of: bench.folder.path) + "/lost")
  }
}
