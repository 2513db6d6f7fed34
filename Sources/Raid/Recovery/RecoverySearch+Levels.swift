import BlockStorage
import RaidGeometry

// Which levels the members may be of, told by what holds between them at equal offsets.

extension RecoverySearch {
  mutating func plausibleLevels() throws(RaidError) -> [RaidLevel] {
    if let level = request.level {
      return RaidLevel(number: level, layout: request.layout ?? 0).map { [$0] } ?? []
    }
    let n = images.count
    let isWhole = images.present.count == n
    if n == 1 { return [.linear] }
    if images.present.count == 1 {
      notes.append("one member alone holds all of an array only if it is a copy")
      return [.mirrored]
    }
    if census.placeCount == 0 {
      notes.append("there is nothing but zeros on the members")
      return [.mirrored, .singleParity, .striped]
    }
    if census.allEqual, images.present.count > 1 {
      notes.append("the members are equal: copies of each other")
      return [.mirrored]
    }
    if isWhole, census.areEqualOften {
      notes.append("the members are equal in most places: copies, one of which may be out of date")
      return [.mirrored]
    }
    if isWhole, census.formsGroups(images.present) {
      notes.append("members are equal in pairs")
      return [.mirroredStripes]
    }
    if isWhole, census.sumsToZero {
      notes.append("the sum of all members is zero everywhere: one parity")
      return [.singleParity, .dedicatedParity]
    }
    var levels: [RaidLevel] = []
    let relationCount = try addDoubleParity()
    if !candidates.isEmpty {
      notes.append("members obey one relation in each row: two parities")
      return []
    }
    if relationCount >= 8 {
      notes.append(
        "members obey a relation in each row, so there are two parities, but no one layout fits all "
          + "rows: a reshape may have been interrupted")
      return [.doubleParity]
    }
    if let outsider = census.outsider, isWhole {
      notes.append(
        "the sum of all members but \(images.devices[outsider]?.name ?? "") is zero everywhere: "
          + "that one may be of another array, a spare, or a fixed second parity")
      if n >= 4 { try addFixedSecondParity(outsider) }
    }
    let absentCount = n - images.present.count
    if absentCount == 1 || isWhole && census.sumsToZeroOften {
      levels += [.singleParity, .dedicatedParity]
    }
    if (1...2).contains(absentCount), n >= 4 { levels.append(.doubleParity) }
    if isWhole { levels += [.striped, .linear] }
    levels.append(.mirroredStripes)
    return levels
  }
}
