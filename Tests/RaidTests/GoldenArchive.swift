import FToolTestSupport
import LinuxSystem
import Testing

/// The arrays of Tests/Golden, which mdadm and a Linux kernel made.
enum GoldenArchive {
  static let folder =
    Files.directory(of: Files.directory(of: Files.directory(of: #filePath))) + "/Tests/Golden"
  /// Archives that are kept here; FTOOL_GOLDEN is a folder with more of them.
  private static var folders: [String] {
    [folder + "/arrays"] + [Machine.environment("FTOOL_GOLDEN")].compactMap(\.self)
  }

  static func path(_ array: String) -> String? {
    folders.map { "\($0)/\(array).tar.zst" }.first(where: Files.exists)
  }

  /// What has to come out of a set of members: a SHA-256, "refused" or "fails".
  struct Expectation: Sendable, CustomTestStringConvertible {
    let array: String
    let members: [String]
    let content: String

    var testDescription: String { "\(array) from \(members.joined(separator: ","))" }
  }

  /// By array, those only whose archives are there.
  static let expectations: [String: [Expectation]] = {
    let table = (try? Files.contents(of: folder + "/expectations.tsv")) ?? []
    let lines = String(decoding: table, as: UTF8.self).split(separator: "\n").map {
      $0.split(separator: "\t").map(String.init)
    }
    let all = lines.filter { $0.count == 3 && path($0[0]) != nil }.map {
      Expectation(
        array: $0[0], members: $0[1].split(separator: ",").map(String.init), content: $0[2])
    }
    return Dictionary(grouping: all, by: \.array)
  }()

  /// Unpacks an array; returns the path of its folder.
  static func unpack(_ array: String, into scratch: borrowing ScratchDirectory) throws -> String {
    let unpacked = try BuiltTool.run(
      program: "tar", ["--zstd", "-xf", try #require(path(array)), "-C", scratch.path])
    try #require(unpacked.status == 0, "\(unpacked.errorText)")
    return scratch.path(array)
  }
}
