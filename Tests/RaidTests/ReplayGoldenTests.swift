import BlockStorage
import FToolTestSupport
import LinuxSystem
import Raid
import Testing

/// What a crash left in journals and partial parity logs, read as the kernel read it after its own
/// recovery: with all members, and without each.
@Suite(.serialized) struct ReplayGoldenTests {
  /// One line of Tests/Golden/expectations.tsv.
  struct Expectation: Sendable, CustomTestStringConvertible {
    let array: String
    let members: [String]
    let content: String

    var testDescription: String { "\(array) from \(members.joined(separator: ","))" }
  }

  private static let folder = Files.directory(
    of: Files.directory(of: Files.directory(of: #filePath)))
  /// Archives that are kept here; FTOOL_GOLDEN is a folder with more of them.
  private static var folders: [String] {
    [folder + "/Tests/Golden/arrays"] + [Machine.environment("FTOOL_GOLDEN")].compactMap(\.self)
  }

  private static func archive(_ array: String) -> String? {
    folders.map { "\($0)/\(array).tar.zst" }.first(where: Files.exists)
  }

  static let arrays: [String: [Expectation]] = {
    let table = (try? Files.contents(of: folder + "/Tests/Golden/expectations.tsv")) ?? []
    let lines = String(decoding: table, as: UTF8.self).split(separator: "\n").map {
      $0.split(separator: "\t").map(String.init)
    }
    let all = lines.filter { $0.count == 3 }.map {
      Expectation(
        array: $0[0], members: $0[1].split(separator: ",").map(String.init), content: $0[2])
    }
    let logged = all.filter {
      ($0.array.contains("journal") || $0.array.contains("ppl")) && archive($0.array) != nil
    }
    return Dictionary(grouping: logged, by: \.array)
  }()

  @Test func `some arrays are here`() {
    #expect(Self.arrays.keys.contains("raid5-3-journal-unclean"))
    #expect(Self.arrays.keys.contains("raid5-4-ppl-torn"))
  }

  @Test(arguments: arrays.keys.sorted()) func `reads what the kernel recovered`(
    array: String
  ) throws {
    let scratch = try ScratchDirectory()
    let archive = try #require(Self.archive(array))
    let unpacked = try BuiltTool.run(
      program: "tar", ["--zstd", "-xf", archive, "-C", scratch.path])
    try #require(unpacked.status == 0, "\(unpacked.errorText)")
    for expectation in try #require(Self.arrays[array]) {
      let paths = expectation.members.map { scratch.path("\(array)/\($0).img") }
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
