/// A map while it is being brought up to date from its beginning to its end.
package struct RescuePass: Sendable {
  /// As it was before.
  package let old: RescueMap
  private var fresh = RescueMap()

  /// Goes over a map once.
  package init(over old: RescueMap) { self.old = old }

  /// Bytes of an array have a new status, which lie behind all that was noted before. What lies between
  /// stays as it was; so does what was written although it is in doubt, when nothing better has come.
  package mutating func note(_ range: Range<Int>, _ status: RescueMap.Status) {
    keep(upTo: range.lowerBound)
    guard status == .lost else { return fresh.append(range.upperBound, status) }
    old.forEach(in: range) { piece in
      fresh.append(piece.range.upperBound, piece.status == .unscraped ? .unscraped : .lost)
    }
  }

  /// The map as it is now: what has been noted, and behind it what was there before.
  package var map: RescueMap {
    var copy = self
    copy.keep(upTo: old.byteCount)
    return copy.fresh
  }

  private mutating func keep(upTo end: Int) {
    let start = fresh.byteCount
    guard start < end else { return }
    old.forEach(in: start..<end) { fresh.append($0.range.upperBound, $0.status) }
  }
}
