/// One folder or file that was at `old` and is at `new` now; both absolute paths. Slashes at their ends say nothing.
package struct PathMapping: Sendable, CustomStringConvertible {
  /// Without slashes at the end; the root is empty.
  private let old, new: Substring.UTF8View

  package init(old: String, new: String) {
    self.old = Self.withoutLastSlashes(old)
    self.new = Self.withoutLastSlashes(new)
  }

  package var description: String {
    [old, new].map { $0.isEmpty ? "/" : String(Substring($0)) }.joined(separator: "=")
  }

  /// `OLD=NEW`; nil where these are not two absolute paths.
  package init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.first == slash,
      let equals = bytes.indices.first(where: {
        bytes[$0...].starts(with: [UInt8(ascii: "="), slash])
      })
    else { return nil }
    let halves = (bytes[..<equals], bytes[(equals + 1)...])
    self.init(
      old: String(decoding: halves.0, as: UTF8.self), new: String(decoding: halves.1, as: UTF8.self)
    )
  }

  /// Where `path` is found now; nil if it's neither `old` nor something in it.
  package func place(of path: String) -> String? {
    // By bytes, as the kernel compares names, not by characters.
    guard path.utf8.starts(with: old) else { return nil }
    let rest = path.utf8.dropFirst(old.count)
    guard rest.isEmpty || rest.first == slash else { return nil }
    let place = String(Substring(new)) + String(Substring(Self.withoutLastSlashes(rest)))
    return place.isEmpty ? "/" : place
  }

  private static func withoutLastSlashes(_ path: String) -> Substring.UTF8View {
    withoutLastSlashes(path.utf8[...])
  }

  private static func withoutLastSlashes(_ path: Substring.UTF8View) -> Substring.UTF8View {
    var path = path
    while path.last == slash { path.removeLast() }
    return path
  }
}

private let slash = UInt8(ascii: "/")
