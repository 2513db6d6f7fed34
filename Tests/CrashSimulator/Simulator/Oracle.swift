import FToolTestSupport

/// Judges what an array gives after a power cut.
struct Oracle {
  let scenario: Scenario
  let expectation: Expectation
  /// Slots that may be empty, whether since before the cut or by it.
  let mayLack: Set<Int>
  /// A recovery that was cut off may have taken what is in doubt as it was.
  let wasForced: Bool
  private let marks: Marks
  private let rowsInFlight: Set<Int>

  init(
    _ scenario: Scenario, _ expectation: Expectation, mayLack: Set<Int>, wasForced: Bool
  ) {
    self.scenario = scenario
    self.expectation = expectation
    self.mayLack = mayLack
    self.wasForced = wasForced
    let geometry = scenario.geometry
    guard geometry.parityCount > 0 else {
      marks = Marks(geometry, writes: [], hasMarks: true)
      rowsInFlight = []
      return
    }
    marks = Marks(
      geometry, writes: scenario.markedBefore + expectation.begun,
      hasMarks: scenario.plan.hasSums || scenario.plan.hasBitmap)
    let row = geometry.rowByteCount
    rowsInFlight = Set(
      expectation.pending.flatMap { $0.range.lowerBound / row...($0.range.upperBound - 1) / row })
  }

  /// Members are missing.
  var isDegraded: Bool { !mayLack.isEmpty }

  /// What lies at an array offset is wholly old or wholly new in units of this: 4096 bytes where a journal has
  /// the content, and a sector where whole rows are written, or copies.
  private func unitByteCount(at offset: Int) -> Int {
    guard scenario.plan.hasJournal, scenario.geometry.parityCount > 0 else { return 512 }
    return isRewritten(offset) && wasComplete ? 512 : 4096
  }

  /// No slot may have been empty when the writes were made: none was, or the one that was being filled.
  private var wasComplete: Bool { scenario.cell.health == .healthy }

  /// One of the writes that were not acknowledged covers the block and what lies beside it in the row.
  private func isRewritten(_ offset: Int) -> Bool {
    let geometry = scenario.geometry
    let row = offset / geometry.rowByteCount * geometry.rowByteCount
    let block = offset % geometry.chunk / 4096 * 4096
    return expectation.pending.contains { write in
      (0..<geometry.dataCount).allSatisfy { column in
        let start = row + column * geometry.chunk + block
        return write.range.lowerBound < start + 4096 && write.range.upperBound > start
      }
    }
  }

  /// A member was lost while whole rows were rewritten: its blocks of them may be lost for good.
  private func mayBeLostForGood(_ offset: Int) -> Bool {
    let geometry = scenario.geometry
    return scenario.plan.hasJournal && geometry.parityCount > 0 && wasComplete
      && mayLack.contains(geometry.places(of: offset)[0].slot) && isRewritten(offset)
  }

  /// Whether anything may be lost for good.
  var hasRowsAtRisk: Bool {
    isDegraded
      && stride(from: 0, to: scenario.geometry.byteCount, by: 4096).contains {
        mayBeLostForGood($0)
      }
  }

  /// Judges what was read before anything was settled.
  func judge(_ look: ArrayLook) throws(Violation) {
    for lost in look.lost {
      for unit in stride(from: lost.lowerBound / 512 * 512, to: lost.upperBound, by: 512)
      where !mayBeLost(unit) {
        throw Violation(.losesNothing, "array byte \(unit) is lost")
      }
    }
    try judge(look, isFree: { scenario.hidesDamage || wasForced && hasWriteHole($0, mayLack) })
  }

  /// Judges what was read after recovery.
  ///
  /// - Parameter emptySlots: those whose content is computed.
  func judgeSettled(_ look: ArrayLook, emptySlots: Set<Int>) throws(Violation) {
    for lost in look.lost {
      for unit in stride(from: lost.lowerBound / 512 * 512, to: lost.upperBound, by: 512)
      where !mayBeLostForGood(unit) {
        throw Violation(.losesNothing, "array bytes \(lost) are lost after recovery")
      }
    }
    try judge(look, isFree: { hasWriteHole($0, emptySlots) })
  }

  private func judge(
    _ look: ArrayLook, isFree: (_ offset: Int) -> Bool
  ) throws(Violation) {
    let content = look.content
    if look.lost.isEmpty, content.same(as: expectation.acknowledged) { return }
    var next = 0
    while next < content.count {
      let start = next
      next = min(start + unitByteCount(at: start), content.count)
      let unit = start..<next
      if expectation.allows(content, in: unit) || isFree(start) { continue }
      if look.lost.contains(where: { $0.overlaps(unit) }) { continue }
      throw Violation(.holdsWhatWasWritten, "array byte \(start) is neither old nor new")
    }
  }

  /// What nobody has is refused in the parts that were being written of an array that lacks members.
  private func mayBeLost(_ offset: Int) -> Bool {
    if mayBeLostForGood(offset) { return true }
    guard isDegraded, scenario.geometry.parityCount > 0, !scenario.cell.journal.closesWriteHole
    else { return false }
    return marks.contains(memberOffset: memberOffset(offset))
  }

  /// What was computed in a row that was being written, on a slot that nobody has.
  private func hasWriteHole(_ offset: Int, _ emptySlots: Set<Int>) -> Bool {
    let geometry = scenario.geometry
    guard isDegraded, geometry.parityCount > 0, !scenario.cell.journal.closesWriteHole,
      rowsInFlight.contains(offset / geometry.rowByteCount)
    else { return false }
    return emptySlots.contains(geometry.places(of: offset)[0].slot)
  }

  private func memberOffset(_ offset: Int) -> Int {
    let geometry = scenario.geometry
    return offset / geometry.rowByteCount * geometry.chunk + offset % geometry.chunk
  }

  /// Judges a later look: it has to be what was seen before, but for what had been refused.
  func judge(
    _ look: ArrayLook, after earlier: ArrayLook, _ when: String, emptySlots: Set<Int> = []
  ) throws(Violation) {
    if earlier.lost.isEmpty, look.lost.isEmpty, look.content.same(as: earlier.content) { return }
    for start in stride(from: 0, to: look.content.count, by: 512) {
      let unit = start..<min(start + 512, look.content.count)
      if look.content.same(unit, as: earlier.content, at: start) { continue }
      if (look.lost + earlier.lost).contains(where: { $0.overlaps(unit) }) { continue }
      if scenario.hidesDamage || hasWriteHole(start, emptySlots) { continue }
      throw Violation(.staysAsItWasRead, "array byte \(start) is another \(when)")
    }
  }
}
