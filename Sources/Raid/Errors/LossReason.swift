/// Why bytes of an array can't be given.
package enum LossReason: Error, Equatable, Sendable {
  /// So many columns of the row are gone, unreadable or damaged; the names of those that are there but bad.
  case tooManyBad(members: [String])
  /// More of these bytes, which are a stripe, is lost than its parity makes up for: a part of them can't be written
  /// alone. The names are those of `tooManyBad`.
  case onlyTogether(members: [String])
  /// The block's sum is wrong, and the level has no second copy; where a kernel may have written
  /// without leaving a trace, the block may also be right.
  case damaged(member: String, mayBeForeignWrite: Bool)
  case unreadable(member: String)
  case missing(slot: Int)
  /// The slot's member is missing, and after a crash the others may not agree on what it held there.
  case inDoubt(slot: Int)
}
