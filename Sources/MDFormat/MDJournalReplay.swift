/// What a journal's log says about stripes: which blocks of it are newer than the members.
///
/// Fed with the meta blocks of `MDJournal.walk`, oldest first. It holds positions in the ring, not
/// contents, so it takes a few bytes for each 4 KiB that are logged.
package struct MDJournalReplay: Equatable, Sendable {
  /// Stripes by their sector in the members' data areas: multiples of 8.
  package private(set) var stripes: [UInt64: Stripe] = [:]

  package init() {}

  /// What is logged of one stripe of 4 KiB blocks. Positions are sectors of the ring.
  package struct Stripe: Equatable, Sendable {
    /// Data whose parity is logged too, by array sector. Both go to the members as they are.
    package fileprivate(set) var settledData: [UInt64: Int] = [:]
    /// P, or P and Q, that go with `settledData`; empty when that is.
    package fileprivate(set) var settledParity: [Int] = []
    /// Data behind which no parity was logged, newer than all of the above, by array sector. It goes
    /// to the members with parity that is to be worked out.
    package fileprivate(set) var data: [UInt64: Int] = [:]

    /// Parity logged behind `data`.
    fileprivate var parity: [Int]?

    /// Where the newest content of an array sector's block is, if not on its member.
    package func newestBlock(ofArraySector sector: UInt64) -> Int? {
      data[sector] ?? settledData[sector]
    }

    /// Data with parity behind it is settled. Parity alone says nothing: its data was flushed.
    fileprivate mutating func settle() {
      guard let parity else { return }
      if !data.isEmpty {
        settledData.merge(data) { _, new in new }
        settledParity = parity
      }
      data = [:]
      self.parity = nil
    }
  }

  /// Takes the next meta block in. `stripeSector` says at which sector of the members' data areas an
  /// array sector's stripe is; nil for one beyond the array, whose data counts for nothing.
  package mutating func add(
    _ meta: MDJournalMetaBlock, stripeSector: (_ arraySector: UInt64) -> UInt64?
  ) {
    for payload in meta.payloads {
      switch payload {
      case .data(let arraySector, let block, _):
        guard let sector = stripeSector(arraySector) else { continue }
        stripes[sector, default: Stripe()].settle()
        stripes[sector]?.data[arraySector] = block.sector
      case .parity(let sector, let blocks, _):
        stripes[sector, default: Stripe()].parity = blocks.map(\.sector)
      case .flush(let sectors, _):
        for sector in sectors { stripes[sector] = nil }
      }
    }
  }

  /// To be called behind the last meta block.
  package mutating func finish() {
    for sector in stripes.keys { stripes[sector]?.settle() }
    stripes = stripes.filter { !$0.value.settledData.isEmpty || !$0.value.data.isEmpty }
  }
}
