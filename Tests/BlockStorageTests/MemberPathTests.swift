import FToolTestSupport
import LinuxSystem
import SystemPackage
import Testing

@testable import BlockStorage

@Suite struct MemberPathTests {
  private func part(_ text: String, existing: Set<String>) throws -> MemberPath {
    try MemberPath(parsing: text) { existing.contains($0) }
  }

  @Test func `names files and parts of them`() throws {
    let existing: Set = ["/d/a.img"]
    #expect(try part("/d/a.img", existing: existing).part == .whole)
    #expect(
      try part("/d/a.img@1M", existing: existing).part == .bytes(offset: 1 << 20, byteCount: nil))
    #expect(
      try part("/d/a.img@2048s+1G", existing: existing).part
        == .bytes(offset: 1 << 20, byteCount: 1 << 30))
    #expect(try part("/d/a.img#p12", existing: existing).part == .partition(12))
    #expect(try part("/d/a.img#p12", existing: existing).path == "/d/a.img")
    #expect(try part("/d/a.img#p12", existing: existing).text == "/d/a.img#p12")
    #expect(try part("missing", existing: existing).isMissing)
  }

  @Test func `a path that exists wins, whatever its name`() throws {
    for name in ["missing", "a@1M", "a#p1", "a@b", "@", "#p1"] {
      let member = try part(name, existing: [name, "a"])
      #expect(member.part == .whole)
      #expect(member.path == name)
    }
    #expect(try part("a@1M@2M", existing: ["a@1M"]).part == .bytes(offset: 2 << 20, byteCount: nil))
  }

  @Test func `a path that does not exist is a path`() throws {
    for name in ["new.img", "x@host", "a@1M", "a#p1", "@1M", "Missing"] {
      #expect(try part(name, existing: []).part == .whole)
    }
  }

  @Test(arguments: [
    "a@", "a@x", "a@-1", "a@1M+", "a@1M+0", "a@1M+x", "a@1+2+3", "a#p", "a#p0", "a#p+1", "a#px",
    "a#p-1",
    "a#p99999999999999999999",
  ])
  func `what follows an existing path must be a part`(text: String) {
    #expect(throws: MemberPathError.malformed(text)) { try part(text, existing: ["a"]) }
  }

  @Test func `opens the part it names`() throws {
    let scratch = try Scratch()
    let path = try scratch.directory.file("a.img", (0..<4096).map { UInt8($0 / 512) })
    let whole = try MemberPath(parsing: path).open()
    #expect(whole.byteCount == 4096)
    let window = try MemberPath(parsing: "\(path)@512+1024").open()
    #expect(window.byteCount == 1024)
    #expect(window.name == "\(path)@512+1024")
    #expect(try window.bytes(511..<513) == [1, 2])
    let rest = try MemberPath(parsing: "\(path)@7s").open(access: .readOnly)
    #expect(try rest.allBytes() == [UInt8](repeating: 7, count: 512))
    #expect(try MemberPath(parsing: "\(path)@4096").open().byteCount == 0)
  }

  @Test func `says why it cannot`() throws {
    let scratch = try Scratch()
    let path = try scratch.directory.file("a.img", [UInt8](repeating: 0, count: 4096))
    func open(_ text: String) throws(MemberPathError) { _ = try MemberPath(parsing: text).open() }
    #expect(throws: MemberPathError.isMissing) { try open("missing") }
    for text in ["@4097", "@0+4097", "@4096+1", "@9223372036854775807+9223372036854775807"] {
      #expect(throws: MemberPathError.outside(byteCount: 4096)) { try open(path + text) }
    }
    #expect(throws: MemberPathError.partitionTable(.none)) { try open(path + "#p1") }
    let gone = scratch.path("gone")
    #expect(
      throws: MemberPathError.cannotOpen(
        SystemCallError(call: "stat", subject: gone, errno: .noSuchFileOrDirectory))
    ) { try open(gone) }
  }
}
