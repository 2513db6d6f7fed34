import BlockStorage
import LinuxSystem
import SystemPackage

extension MemberSet {
  /// Writes the right content of a bad block to its member again, and reads it back. A member that does
  /// not hold it then has failed.
  ///
  /// - Parameter range: where the content lies in `bytes`; after a failure anything may.
  /// - Returns: whether the block is good now.
  func rewrite(
    _ block: BadBlock, of member: Member, from bytes: inout MutableRawSpan, _ range: Range<Int>,
    _ sums: SumScratch
  ) throws(RaidError) -> Bool {
    let again: Member.ReadFinding
    do {
      try member.write(bytes.bytes, range: range, at: block.offset, sums: sums)
      again = try member.readChecked(into: &bytes, range: range, at: block.offset, sums: sums)
    } catch {
      try fail(member, error)
      return false
    }
    guard again == .good else {
      try fail(member, .unreadable(offset: block.offset, errno: .ioError))
      return false
    }
    member.count { $0.repairedBlocks &+= 1 }
    if block.kind == .unreadable { member.countCorrectedRead() }
    return true
  }
}
