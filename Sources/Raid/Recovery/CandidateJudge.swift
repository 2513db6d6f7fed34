import BinaryCodec
import MDFormat
import RaidGeometry

/// Judges finished candidates, whatever level they came from: from what costs no reading to what costs most.
struct CandidateJudge {
  let images: MemberImages
  let request: RecoveryRequest
  let book: SketchBook
  let anchors: ContentAnchors
  /// Whether an array's superblocks were found, and on how many members.
  let describedCount: Int?

  /// Redundancy that is wrong in most places: no other finding makes up for it.
  static let contradiction = -1000.0

  /// What superblocks, habit, and blocks that say where they belong tell.
  func noteStatements(_ candidate: inout RecoveryCandidate) {
    if let describedCount, candidate.evidence.allSatisfy({ $0.kind != .superblock }) {
      candidate.note(.superblock, 20, "superblocks of \(describedCount) members say so")
    }
    noteHabits(&candidate)
    anchors.judge(&candidate, images)
  }

  private func noteHabits(_ candidate: inout RecoveryCandidate) {
    guard request.level == nil || request.chunkByteCount == nil || request.layout == nil else {
      return
    }
    var weight = 0.0
    switch candidate.shape.chunkByteCount {
    case 512 << 10: weight += 1.5
    case 64 << 10: weight += 1
    case 128 << 10, 256 << 10: weight += 0.5
    default: break
    }
    switch (candidate.shape.level, candidate.shape.layout) {
    case (.singleParity, 2), (.doubleParity, 2): weight += 2
    case (.mirroredStripes, 0x102): weight += 1.5
    default: break
    }
    if weight > 0 { candidate.note(.convention, weight, "chunk and layout are usual ones") }
  }

  /// Whether content begins where the array would.
  func noteOrigin(_ candidate: inout RecoveryCandidate) {
    guard let offset = candidate.dataOffsets.first, request.dataOffset == nil else { return }
    let reader = CandidateReader(images, candidate)
    guard let first = reader.bytes(0..<min(4096, candidate.shape.byteCount)) else { return }
    // Superblock, bitmap and logs may fill the first MiB; data of an array without them starts there.
    let metadata = offset > 1200 << 10 ? 1200 << 10 : 160 << 10
    let before = [4096, 16384, 65536].contains { distance in
      offset - distance >= metadata && hasContent(at: (offset - distance) / 4096 * 4096)
    }
    let left = book.landmarks.count { $0 >= metadata && $0 < offset }
    if before || left >= 2 {
      candidate.note(.origin, -6, "there is content in front of where the data would start")
    } else if offset == 0, hasSuperblockAtStart {
      candidate.note(.origin, -6, "the members begin with superblocks, which are no content")
    } else if hasContent(at: 0), describedCount == nil, !hasSuperblockAtStart {
      candidate.note(
        .origin, offset == 0 ? 4 : -4,
        offset == 0
          ? "content begins where the members begin"
          : "there is content at the start of the members, in front of the data")
    } else if first.isAllZero {
      let more = reader.bytes(0..<min(65536, candidate.shape.byteCount))
      if more?.isAllZero ?? true {
        candidate.note(.origin, -3, "the array would begin with zeros")
      } else {
        candidate.note(.origin, -1, "the array would begin with some zeros")
      }
    } else {
      candidate.note(.origin, 4, "content begins where the array would begin")
    }
  }

  /// Whether what a superblock of version 1.1 begins with is at the start of a member, whatever it says.
  private var hasSuperblockAtStart: Bool {
    images.present.contains { member in
      images.block(member, at: 0).map { MDSuperblock.hasMagic($0.rawBytes) } ?? false
    }
  }

  /// Whether any member is not zero there.
  private func hasContent(at offset: Int) -> Bool {
    images.present.contains { book.sketch($0, at: offset, usesSum: false)?.isZero == false }
  }
}
