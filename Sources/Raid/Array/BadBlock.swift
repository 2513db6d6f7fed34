/// A block of 4 KiB that a member could not give.
struct BadBlock: Equatable {
  enum Kind { case unreadable, mismatch }
  var slot: Int
  /// Data offset on the member.
  var offset: Int
  var kind: Kind
}
