import FToolTestSupport
import Testing

@testable import LinuxSystem

@Suite struct PathTextTests {
  /// U+10FF80 and U+10FFFF, which stand for bytes.
  private static let escapes: [UInt8] = [0xf4, 0x8f, 0xbe, 0x80, 0xf4, 0x8f, 0xbf, 0xbf]

  @Test(arguments: [UInt64(1)])
  func `every name has a text, and the text is the name`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var texts: Set<String> = []
    var names: Set<[UInt8]> = []
    for _ in 0..<20_000 {
      let kind = Int.random(in: 0..<3, using: &random)
      let name: [UInt8] = (0..<Int.random(in: 0..<12, using: &random)).flatMap { _ in
        switch kind {
        case 0: [UInt8.random(in: 1...255, using: &random)]
        case 1: [Self.escapes.randomElement(using: &random)!]
        default:
          Array(["ö", "a", "/", "\u{10ff80}", "\u{10ff7f}"].randomElement(using: &random)!.utf8)
        }
      }
      let text = String(pathBytes: name)
      #expect(text.pathBytes == name)
      names.insert(name)
      texts.insert(text)
    }
    #expect(texts.count == names.count && names.count > 10_000)
  }

  @Test func `what is UTF-8 stands as it is`() {
    for text in ["", "/srv/jörg/data", "\u{10ff7f}", "日本"] {
      #expect(String(pathBytes: Array(text.utf8)) == text && text.pathBytes == Array(text.utf8))
      #expect(text.withReadableBytes == text)
    }
    #expect(String(pathBytes: [0x61, 0xff, 0xc3, 0x2f]).withReadableBytes == "a\\xff\\xc3/")
    #expect(String(pathBytes: Self.escapes).unicodeScalars.count == 8)
  }

  @Test func `files with such names are made, listed, moved and removed`() throws {
    let scratch = try ScratchDirectory()
    let name = String(pathBytes: [0x66, 0xe9, 0x74, 0xe9])
    try Files.makeDirectory(scratch.path(name))
    #expect(try Files.list(scratch.path("")) == [name])
    #expect(
      try Files.realPath(scratch.path(name)).pathBytes.suffix(5) == [0x2f, 0x66, 0xe9, 0x74, 0xe9])
    let folder = try OwnedDescriptor.open(scratch.path(name), flags: 0)
    #expect(try folder.presentPath().hasSuffix("/\(name)"))
    let outcome = try BuiltTool.run(
      program: Programs.require("sh"), ["-c", "cd '\(scratch.path(""))' && ls | od -An -tx1"])
    #expect(outcome.outputText.split(separator: " ").joined(separator: " ") == "66 e9 74 e9 0a\n")
    try Files.rename(scratch.path(name), toFree: scratch.path("plain"))
    #expect(try Files.list(scratch.path("")) == ["plain"])
  }
}
