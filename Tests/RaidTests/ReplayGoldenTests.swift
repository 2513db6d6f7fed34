import BlockStorage
import FToolTestSupport
import LinuxSystem
import Raid
import Testing

/// What a crash left in journals and partial parity logs, read as the kernel read it after its own
/// recovery: with all members, and without each.
@Suite(.serialized) struct ReplayGoldenTests {
  static let arrays = GoldenArchive.expectations.filter {
    $0.key.contains("journal") || $0.key.contains("ppl")
  }

  @Test func `some arrays are here`() {
    #expect(Self.arrays.keys.contains("raid5-3-journal-unclean"))
    #expect(Self.arrays.keys.contains("raid5-4-ppl-torn"))
  }

  @Test(arguments: arrays.keys.sorted()) func `reads what the kernel recovered`(
    array: String
  ) throws {
    let scratch = try ScratchDirectory()
    let folder = try GoldenArchive.unpack(array, into: scratch)
    for expectation in try #require(Self.arrays[array]) {
      let paths = expectation.members.map { "\(folder)/\($0).img" }
      let result = try Self.content(of: paths, into: scratch.path("content"))
      #expect(result == expectation.content, "\(expectation.testDescription)")
    }
  }

  /// The hash of the array's content, or "refused".
  private static func content(of paths: [String], into path: String) throws -> String {
    let devices = try paths.map { try FileDevice.open($0, access: .readOnly) }
    let array: RaidArray
    do throws(RaidError) {
      array = try RaidArray.open(devices)
    } catch .notStartable(.tooFew) {
      return "refused"
    }
    let file = try OwnedDescriptor.open(
      path, access: .readWrite, options: [.create, .truncate])
    try array.read(0..<array.byteCount) { (bytes, place, part) throws(SystemCallError) in
      try file.write(bytes, range: place..<place + part.count, at: part.lowerBound)
    }
    let sum = try BuiltTool.run(program: "sha256sum", [path])
    return String(sum.outputText.prefix(64))
  }
}
