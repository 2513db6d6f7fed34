/// Room for the sums of some blocks, so that no operation has to allocate it. Used by one thread at a
/// time.
final class SumScratch {
  private var sums: [UInt32] = []

  /// Lends room for at least `count` sums.
  func with<Result, Failure: Error>(
    count: Int, _ body: (inout [UInt32]) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // Taken out while it is lent: were it used twice at once, the inner use would get room of its own.
    var lent: [UInt32] = []
    swap(&lent, &sums)
    defer { swap(&lent, &sums) }
    if lent.count < count { lent = [UInt32](repeating: 0, count: count) }
    return try body(&lent)
  }
}
