/// What a journal's log says about stripes: which blocks of it are newer than the members.
///
/// Fed with the meta blocks of `MDJournal.walk`, oldest first. It keeps 16 bytes for each block that the
/// log holds: where it belongs, and where in the ring it is. When there are as many as the limit, they
/// are sorted by stripe and those that count no more are dropped; the memory never exceeds the limit and
/// half of it again for the sorting.
package struct MDJournalReplay: Sendable {
  /// The live part of the log has more blocks than are kept track of.
  package struct TooLarge: Error, Equatable, Sendable {
    package init() {}
  }

  /// A block of data: which data column of its row, and its sector in the ring.
  package struct Place: Equatable, Sendable {
    package var column: Int
    package var sector: Int

    package init(column: Int, sector: Int) {
      self.column = column
      self.sector = sector
    }
  }

  /// What is logged of one stripe of 4 KiB blocks. Positions are sectors of the ring.
  package struct Stripe: Equatable, Sendable {
    /// In the members' data areas: a multiple of 8.
    package fileprivate(set) var sector: UInt64 = 0
    /// Data whose parity is logged too. Both go to the members as they are.
    package fileprivate(set) var settledData: [Place] = []
    /// P, or P and Q, that go with `settledData`; empty when that is.
    package fileprivate(set) var settledParity: [Int] = []
    /// Data behind which no parity was logged, newer than all of the above. It goes to the members with
    /// parity that is to be worked out.
    package fileprivate(set) var data: [Place] = []

    /// Parity logged behind `data`; empty for none.
    fileprivate var parity: [Int] = []
  }

  /// One thing that the log says of a stripe.
  fileprivate struct Record {
    enum Kind: UInt64 { case data, parity, flush }

    /// Stripe, kind, and which column or parity.
    private let key: UInt64
    /// Of two records of a stripe the one with the larger came later.
    var order: UInt32
    /// In the ring, in blocks.
    let position: UInt32

    static let stripeLimit: UInt64 = 1 << 46

    init(_ stripe: UInt64, _ kind: Kind, index: Int, order: UInt32, position: UInt32) {
      key = stripe << 18 | kind.rawValue << 16 | UInt64(index)
      self.order = order
      self.position = position
    }

    /// In blocks of the members' data.
    var stripe: UInt64 { key >> 18 }
    var kind: Kind { Kind(rawValue: key >> 16 & 3) ?? .flush }
    var index: Int { Int(key & 0xffff) }

    static func precedes(_ one: Record, _ other: Record) -> Bool {
      (one.stripe, one.order) < (other.stripe, other.order)
    }
  }

  private var records: [Record] = []
  private var nextOrder: UInt32 = 0
  private let limit: Int

  /// As many blocks as 8 GiB of log have: 32 MiB of memory.
  package static let usualLimit = 2 << 20

  /// - Parameter limit: how many blocks to keep track of.
  package init(limit: Int = usualLimit) {
    self.limit = max(16, limit)
  }

  /// Takes the next meta block in. `place` says at which sector of the members' data areas an array
  /// sector's stripe is, and in which data column; nil for one beyond the array, whose data counts for
  /// nothing.
  ///
  /// - Throws: when the log holds too much; then nothing of it is of use.
  package mutating func add(
    _ meta: MDJournalMetaBlock,
    place: (_ arraySector: UInt64) -> (stripeSector: UInt64, column: Int)?
  ) throws(TooLarge) {
    for payload in meta.payloads {
      switch payload {
      case .data(let arraySector, let block, _):
        guard let (sector, column) = place(arraySector) else { continue }
        try append(sector, .data, index: column, at: block.sector)
      case .parity(let sector, let blocks, _):
        for (index, block) in blocks.enumerated() {
          try append(sector, .parity, index: index, at: block.sector)
        }
      case .flush(let sectors, _):
        for sector in sectors { try append(sector, .flush, index: 0, at: 0) }
      }
    }
  }

  private mutating func append(
    _ sector: UInt64, _ kind: Record.Kind, index: Int, at ringSector: Int
  ) throws(TooLarge) {
    let block = UInt64(MDJournal.blockSectors)
    // No data has such a sector, so this is not about any.
    guard sector % block == 0, sector / block < Record.stripeLimit, index < 1 << 16 else { return }
    guard let position = UInt32(exactly: ringSector / MDJournal.blockSectors) else {
      throw TooLarge()
    }
    if records.count == limit {
      compact()
      // With little room left, all the time would go into sorting.
      if records.count > limit / 8 * 7 { throw TooLarge() }
    }
    records.append(
      Record(sector / block, kind, index: index, order: nextOrder, position: position))
    nextOrder += 1
  }

  /// To be called behind the last meta block.
  package mutating func finish() { compact() }

  /// Every stripe of which something counts, in their order. Only after `finish`.
  package func forEachStripe<Failure: Error>(
    _ body: (Stripe) throws(Failure) -> Void
  ) throws(Failure) {
    var stripe = Stripe()
    var next = 0
    while next < records.count {
      next = stripe.take(records, from: next)
      stripe.settle()
      if !stripe.settledData.isEmpty || !stripe.data.isEmpty { try body(stripe) }
    }
  }

  /// Drops what later records have made void. What remains says the same.
  private mutating func compact() {
    records.sort(by: Record.precedes)
    var stripe = Stripe()
    var next = 0
    var kept = 0
    func keep(_ kind: Record.Kind, index: Int, sector: Int, _ records: inout [Record]) {
      records[kept] = Record(
        stripe.sector / UInt64(MDJournal.blockSectors), kind, index: index,
        order: UInt32(kept), position: UInt32(sector / MDJournal.blockSectors))
      kept += 1
    }
    while next < records.count {
      next = stripe.take(records, from: next)
      // No more than were taken.
      for place in stripe.settledData {
        keep(.data, index: place.column, sector: place.sector, &records)
      }
      for (index, sector) in stripe.settledParity.enumerated() {
        keep(.parity, index: index, sector: sector, &records)
      }
      if stripe.data.isEmpty { continue }
      for place in stripe.data {
        keep(.data, index: place.column, sector: place.sector, &records)
      }
      for (index, sector) in stripe.parity.enumerated() {
        keep(.parity, index: index, sector: sector, &records)
      }
    }
    records.removeSubrange(kept...)
    nextOrder = UInt32(kept)
  }
}

extension MDJournalReplay.Stripe {
  /// Becomes the stripe of the record at `first`, with all that the records behind it say of it.
  ///
  /// - Returns: the first record of the next stripe.
  fileprivate mutating func take(_ records: [MDJournalReplay.Record], from first: Int) -> Int {
    forget()
    let stripe = records[first].stripe
    sector = stripe * UInt64(MDJournal.blockSectors)
    var next = first
    while next < records.count, records[next].stripe == stripe {
      let record = records[next]
      let ringSector = Int(record.position) * MDJournal.blockSectors
      switch record.kind {
      case .data:
        settle()
        Self.put(.init(column: record.index, sector: ringSector), into: &data)
      case .parity:
        if record.index == 0 { parity.removeAll(keepingCapacity: true) }
        parity.append(ringSector)
      case .flush: forget()
      }
      next += 1
    }
    return next
  }

  private mutating func forget() {
    settledData.removeAll(keepingCapacity: true)
    settledParity.removeAll(keepingCapacity: true)
    data.removeAll(keepingCapacity: true)
    parity.removeAll(keepingCapacity: true)
  }

  /// Data with parity behind it is settled. Parity alone says nothing: its data was flushed.
  fileprivate mutating func settle() {
    guard !parity.isEmpty else { return }
    if !data.isEmpty {
      for place in data { Self.put(place, into: &settledData) }
      swap(&settledParity, &parity)
    }
    data.removeAll(keepingCapacity: true)
    parity.removeAll(keepingCapacity: true)
  }

  private static func put(
    _ place: MDJournalReplay.Place, into places: inout [MDJournalReplay.Place]
  ) {
    if let index = places.firstIndex(where: { $0.column == place.column }) {
      places[index] = place
    } else {
      places.append(place)
    }
  }
}
