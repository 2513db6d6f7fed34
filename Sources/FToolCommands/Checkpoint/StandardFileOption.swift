import Checkpointing
import LinuxSystem
import SystemPackage

/// What `--stdio` says: `WHERE` for all three standard files, or `N=WHERE` for one of them.
struct StandardFileOption {
  /// For each of the three numbers that it is about, what that becomes.
  private(set) var files: [(number: Int, file: RestoreOptions.StandardFile)] = []

  /// Those that become it also where they were regular files.
  private(set) var redirections: [Int32: RestoreOptions.Redirection] = [:]

  init(_ text: String) throws(Failure) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 2, let number = Int(parts[0]), text.first?.isNumber == true {
      guard (0...2).contains(number) else {
        throw Failure(
          .usage, "--stdio: '\(text)': standard files have the numbers 0, 1 and 2")
      }
      files = [(number, try Self.file(parts[1], text))]
      redirections = [Int32(number): .named]
      try check(text)
      return
    }
    let file = try Self.file(text[...], text)
    files = (0...2).map { ($0, file) }
    // A file that the program reads is taken away from it by nothing but its number.
    redirections = [1: .all, 2: .all]
    // One place for all three is there to be written to; what can't be read gives nothing.
    switch files[0].file {
    case .file: files[0].file = .null
    case .descriptor(let given) where !Self.mode(of: given).isReadable: files[0].file = .null
    default: break
    }
    try check(text)
  }

  private static func file(
    _ place: Substring, _ text: String
  ) throws(Failure) -> RestoreOptions.StandardFile {
    switch place {
    case "inherit": return .inherited
    case "null": return .null
    case _ where place.hasPrefix("file:") && place.utf8.count > 5:
      return .file(String(place.dropFirst(5)))
    default: break
    }
    guard let given = Int32(place), given >= 0 else {
      throw Failure(
        .usage,
        "--stdio: '\(text)' is none of inherit, null, file:PATH and the number of an open descriptor, with or without 0=, 1= or 2= before it"
      )
    }
    guard OwnedDescriptor.isInherited(given) else {
      throw Failure(
        .usage, "--stdio: descriptor \(given) is not open",
        hint: "open it for ftool, as with \(given)<>FILE in a shell")
    }
    return .descriptor(given)
  }

  /// A descriptor has to be open for what it will be used for.
  private func check(_ text: String) throws(Failure) {
    for (number, file) in files {
      if case .file(let path) = file, (try? Files.kind(of: path)) == .directory {
        throw Failure(.usage, "--stdio: '\(text)': \(path) is a folder")
      }
      guard case .descriptor(let given) = file else { continue }
      let mode = Self.mode(of: given)
      if number == 0 ? !mode.isReadable : !mode.isWritable {
        throw Failure(
          .usage,
          "--stdio: '\(text)': descriptor \(given) is not open for \(number == 0 ? "reading" : "writing")"
        )
      }
    }
  }

  private static func mode(of descriptor: Int32) -> (isReadable: Bool, isWritable: Bool) {
    let mode = (try? OwnedDescriptor.standard(descriptor).control(getFlags)).map { $0 & 3 } ?? 2
    return (mode != 1, mode != 0)
  }

  /// F_GETFL
  private static let getFlags: Int32 = 3
}
