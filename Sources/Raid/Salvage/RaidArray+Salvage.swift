extension RaidArray {
  /// Reads what one buffer takes from `offset` on, not past `end`, and finds all of it that is whole. Needs
  /// an array that was opened with `Options.salvages`, whose members are never written.
  ///
  /// - Returns: up to where `found` tells of everything.
  func salvageNext(
    from offset: Int, to end: Int, _ memory: inout WorkingMemory, _ found: inout SalvagedBytes
  ) throws(RaidError) -> Int {
    guard let segment = segments.first(where: { $0.range.contains(offset) }) else {
      throw .outOfBounds(offset: offset, byteCount: end - offset, arrayByteCount: byteCount)
    }
    let start = offset / 4096 * 4096
    let limit = min((end + 4095) / 4096 * 4096, segment.range.upperBound)
    let accepts = options.allowsDoubt
    let reached =
      switch segment.data {
      case .parity(let stripes):
        try stripes.salvage(start..<limit, acceptsUnproven: accepts, into: &memory, &found)
      case .copies(let copies):
        try copies.salvage(start..<limit, acceptsUnproven: accepts, into: &memory, &found)
      }
    let upTo = min(reached, end)
    found.settle(in: offset..<upTo)
    return upTo
  }
}
