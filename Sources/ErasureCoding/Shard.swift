/// One of the columns of a stripe.
package enum Shard: Hashable, Sendable {
  /// The data column at a code position e: its coefficient in Q is 2^e.
  case data(position: Int)
  /// 0 is P, 1 is Q, and so on.
  case parity(Int)
}
