import RaidGeometry

extension CandidateJudge {
  /// Reads filesystems and archives through the candidate's layout.
  func noteContent(_ candidate: inout RecoveryCandidate) {
    let reader = CandidateReader(images, candidate)
    noteFilesystem(&candidate, reader)
    if let archive = ArchiveWalk(reader) {
      candidate.note(
        .sequence, min(60, 2 * Double(archive.headerCount)) - 15 * Double(archive.breaks),
        "a tar archive begins the array: \(archive.headerCount) headers follow each other"
          + (archive.breaks > 0 ? ", then it breaks" : ""))
    }
  }

  private func noteFilesystem(_ candidate: inout RecoveryCandidate, _ reader: CandidateReader) {
    var starts: Set = [0]
    for found in anchors.groups where found.kind == "ext" {
      for anchor in found.anchors where anchor.stated == 1024 {
        if let offset = reader.arrayOffset(ofDevice: anchor.member, at: anchor.offset) {
          starts.insert(offset - 1024)
        }
      }
    }
    for start in starts.filter({ $0 >= 0 }).sorted().prefix(4) {
      guard let walk = ExtWalk(reader, start: start) else { continue }
      let right = Double(walk.foldersRight)
      let wrong = Double(walk.foldersWrong)
      // A layout that is nearly right has many folders in their places, too: what is wrong counts whatever is right,
      // and of two that have enough of them the one that has more is the better one.
      let weight = min(120, 8 * right) + min(200, max(0, right - 15)) - 6 * wrong
      candidate.note(
        .filesystem, max(-60, weight),
        "\(walk.foldersRight) of \(walk.foldersRight + walk.foldersWrong) ext folders are where "
          + "their inodes say")
      if walk.copiesRight + walk.copiesWrong > 0 {
        candidate.note(
          .filesystem,
          max(-30, min(60, 6 * Double(walk.copiesRight) - 4 * Double(walk.copiesWrong))),
          "\(walk.copiesRight) of \(walk.copiesRight + walk.copiesWrong) copies of the ext "
            + "superblock are in their places")
      }
      break
    }
  }
}
