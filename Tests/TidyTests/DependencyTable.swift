/// The targets of `Package.swift`, read from its text: where each one's sources are, and what it may
/// import.
struct DependencyTable {
  /// One target.
  struct Target {
    let name: String
    let path: String
    let dependencies: Set<String>
  }

  let targets: [Target]

  /// What the variables of the package's text stand for.
  private static let products = [
    "systemPackage": "SystemPackage", "argumentParser": "ArgumentParser",
  ]

  /// Reads the part behind `targets: [` of the package itself.
  init(packageText: String) {
    let body = packageText.split(separator: "\n  targets: [\n", maxSplits: 1).last ?? ""
    let text = body.split(separator: "cLanguageStandard", maxSplits: 1).first ?? ""
    targets = text.split(separator: "arget(").dropFirst().compactMap { piece in
      guard let name = Self.quoted(after: "name: ", in: piece) else { return nil }
      let isTest = Self.quoted(after: "path: ", in: piece) == nil && name.hasSuffix("Tests")
      let path = Self.quoted(after: "path: ", in: piece) ?? (isTest ? "Tests/" : "Sources/") + name
      return Target(name: name, path: path, dependencies: Self.dependencies(in: piece))
    }
  }

  /// The target whose folder holds a file: the one with the longest path.
  func target(of file: String) -> Target? {
    targets.filter { file.hasPrefix($0.path + "/") }.max { $0.path.count < $1.path.count }
  }

  private static func dependencies(in piece: Substring) -> Set<String> {
    guard let start = piece.range(of: "dependencies: [") else { return [] }
    let list = piece[start.upperBound...].prefix { $0 != "]" }
    let names = list.split { !($0.isLetter || $0.isNumber || $0 == "-") }.map(String.init)
    return Set(names.map { products[$0] ?? $0 })
  }

  private static func quoted(after label: String, in piece: Substring) -> String? {
    guard let start = piece.range(of: label + "\"") else { return nil }
    return String(piece[start.upperBound...].prefix { $0 != "\"" })
  }
}

extension Substring {
  /// Where a string stands for the first time.
  func range(of string: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(string) {
        return start..<index(start, offsetBy: string.count)
      }
      start = index(after: start)
    }
    return nil
  }
}
