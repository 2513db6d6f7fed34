/// A block of 4 KiB that a member could not give, or for which it can't vouch.
struct BadBlock: Equatable {
  enum Kind {
    case unreadable
    /// It disagrees with its sum.
    case mismatch
    /// The block of sums that has its sum is damaged: nothing says that the content is right, nor that it is wrong.
    case unproven
    /// It is zeros, as is the block of sums that has its sum, although that was written.
    case vanished
  }
  var slot: Int
  /// Data offset on the member.
  var offset: Int
  var kind: Kind
}
