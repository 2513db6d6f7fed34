import BinaryCodec
import LinuxSystem
import Raid
import SystemPackage

/// The file that keeps a map between runs.
struct RescueMapFile: Sendable {
  let path: String
  /// What names the array in it.
  let array: String
  /// Comments that stand in front.
  let comments: [String]

  /// Reads the map that is there; nil where there is none.
  func load(byteCount: Int) throws(Failure) -> RescueMap? {
    guard Files.exists(path) else { return nil }
    var reader = RescueMapReader()
    do {
      guard try Files.kind(of: path) == .regular else {
        throw Failure(
          .wouldOverwrite, "\(path) is not a file", hint: "choose another map with --map")
      }
      try Self.feed(path, to: &reader)
      return try reader.finish(ofArray: array, byteCount: byteCount)
    } catch let error as RescueMapError {
      throw failure(error)
    } catch {
      throw Failure(unexpected: error)
    }
  }

  /// Reads the map of an image, which any program may have written.
  static func load(ofImage path: String) throws(Failure) -> RescueMap {
    var reader = RescueMapReader()
    do {
      try feed(path, to: &reader)
      return try reader.finish()
    } catch RescueMapError.malformed(let line, let problem) {
      throw Failure(
        .damaged, "\(path) is no map: line \(line) \(problem.sentence)",
        hint: "give the map that GNU ddrescue wrote")
    } catch {
      throw Failure(unexpected: error)
    }
  }

  private static func feed(_ path: String, to reader: inout RescueMapReader) throws {
    let file = try OwnedDescriptor.open(path, access: .readOnly)
    var buffer = AlignedBuffer(byteCount: 256 << 10)
    var bytes = buffer.mutableBytes
    while true {
      let count = try file.readStream(into: &bytes, range: 0..<bytes.byteCount)
      if count == 0 { return }
      try reader.feed((0..<count).map { bytes.bytes.integer(at: $0, as: UInt8.self) })
    }
  }

  /// Puts a map in the place of what is there.
  func save(_ map: RescueMap, position: Int?) throws(SystemCallError) {
    try Files.atomicReplace(path) { (file) throws(SystemCallError) in
      var offset = 0
      try map.write(comments: comments, array: array, position: position) {
        (bytes) throws(SystemCallError) in
        try file.write(bytes.rawBytes, range: 0..<bytes.count, at: offset)
        offset += bytes.count
      }
    }
  }

  private func failure(_ error: RescueMapError) -> Failure {
    let other = "give the map of this array with --map, or remove \(path) to begin anew"
    switch error {
    case .malformed(let line, let problem):
      return Failure(
        .damaged, "\(path) is no map: line \(line) \(problem.sentence)", hint: other)
    case .unnamed:
      return Failure(
        .wouldOverwrite, "\(path) does not say which array it is a map of: ftool did not write it",
        hint: other)
    case .foreign(let named):
      return Failure(
        .wouldOverwrite, "\(path) is the map of another array: \(named)", hint: other)
    case .otherSize(let has, let needs):
      return Failure(
        .wouldOverwrite, "\(path) tells of \(has) bytes, and the array has \(needs)", hint: other)
    }
  }
}

extension RescueMapError.Problem {
  fileprivate var sentence: String {
    switch self {
    case .tooLong: "is too long"
    case .words: "has not the words that belong there"
    case .number: "has a number that is none"
    case .status: "has a status that is none"
    case .gap: "does not begin where the last one ended"
    case .missing: "is the last, and no piece has come"
    }
  }
}
