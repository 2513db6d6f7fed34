import BinaryCodec
import BlockStorage
import LinuxSystem
import SystemPackage

extension MemberSet {
  /// Writes the right content of a bad block to its member again, and reads it back. A member that does
  /// not hold it then has failed, unless its log called the block bad before: then it goes on doing so.
  ///
  /// - Parameter range: where the content lies in `bytes`; after a failure anything may.
  /// - Returns: whether the block is good now.
  func rewrite(
    _ block: BadBlock, of member: Member, from bytes: inout MutableRawSpan, _ range: Range<Int>,
    _ sums: SumScratch
  ) throws(RaidError) -> Bool {
    let isThere: Bool
    let content = crc32c(bytes.bytes.sub(range))
    let isListed = member.badBlocks.overlaps(block.offset..<block.offset + range.count)
    do {
      try member.write(bytes.bytes, range: range, at: block.offset, sums: sums)
      let again = try member.readChecked(
        into: &bytes, range: range, at: block.offset, sums: sums)
      // A member without sums shows nothing but what it holds.
      isThere =
        (again == .good || member.lacksSums && again == .unproven(at: block.offset))
        && crc32c(bytes.bytes.sub(range)) == content
    } catch {
      if !isListed || error.endsUse { try fail(member, error) }
      return false
    }
    if isListed {
      // In the log's way: it may have no room for a list with a hole in it.
      if !isThere { _ = member.badBlocks.insert([block.offset]) }
      guard !member.badBlocks.overlaps(block.offset..<block.offset + range.count) else {
        return false
      }
    }
    guard isThere else {
      try fail(member, .unreadable(offset: block.offset, errno: .ioError))
      return false
    }
    member.count { $0.repairedBlocks &+= 1 }
    if block.kind == .unreadable { member.countCorrectedRead() }
    return true
  }
}
