import FToolTestSupport

/// One way in which the power goes off: at which point of a trace, and what of the caches survives.
package struct PowerCut: Sendable {
  /// A part of a write: sectors of its own, counted from its first.
  struct Piece: Equatable, Sendable {
    var event: Int
    var sectors: Range<Int>
  }

  package let point: Int
  package let family: CutFamily
  /// What is written after all that is safe, in this order.
  let pieces: [Piece]
  private let safeEnds: [Int]

  /// - Parameter variant: below the family's `variantCount`; a seed for those that chance decides.
  package init(
    _ trace: Trace, _ caches: WriteCaches, _ family: CutFamily, variant: Int
  ) {
    point = caches.point
    self.family = family
    safeEnds = caches.safeEnds
    let writes = caches.writes
    func whole(_ event: Int) -> Piece {
      Piece(event: event, sectors: 0..<trace.events[event].sectors.count)
    }
    switch family {
    case .nothing: pieces = []
    case .everything: pieces = writes.map(whole)
    case .prefix: pieces = writes.prefix(variant + 1).map(whole)
    case .newestFirst: pieces = writes.suffix(variant + 1).map(whole)
    case .onlyOneMember:
      pieces = writes.filter { trace.events[$0].subject == variant }.map(whole)
    case .allButOneMember:
      pieces = writes.filter { trace.events[$0].subject != variant }.map(whole)
    case .onlyOneWrite: pieces = [whole(writes[variant])]
    case .allButOneWrite:
      pieces = writes.indices.filter { $0 != variant }.map { whole(writes[$0]) }
    case .tornWrite, .tornWriteBackwards:
      var rest = variant
      var pieces: [Piece] = []
      for event in writes {
        let count = trace.events[event].sectors.count
        if rest < count - 1 {
          let part = family == .tornWrite ? 0..<rest + 1 : rest + 1..<count
          pieces.append(Piece(event: event, sectors: part))
          break
        }
        rest -= count - 1
        pieces.append(whole(event))
      }
      self.pieces = pieces
    case .anyWrites:
      var random = SeededGenerator(seed: UInt64(variant))
      pieces = writes.filter { _ in Bool.random(using: &random) }.map(whole)
    case .anySectors:
      var random = SeededGenerator(seed: UInt64(variant))
      pieces = Self.anySectors(of: writes, trace, &random)
    }
  }

  /// Of each sector any of the contents that it had. A sector that is kept of a write, and of none after
  /// it, has what that write gave it: so a coin for each is all that is needed.
  private static func anySectors(
    of writes: [Int], _ trace: Trace, _ random: inout SeededGenerator
  ) -> [Piece] {
    var pieces: [Piece] = []
    for event in writes {
      var start: Int?
      let count = trace.events[event].sectors.count
      for sector in 0..<count {
        if Bool.random(using: &random) {
          start = start ?? sector
        } else if let first = start {
          pieces.append(Piece(event: event, sectors: first..<sector))
          start = nil
        }
      }
      if let first = start { pieces.append(Piece(event: event, sectors: first..<count)) }
    }
    return pieces
  }

  /// Whether the one write of which a part is kept is cut behind so many of its sectors.
  func isTorn(behind sectorCount: Int) -> Bool {
    guard let last = pieces.last else { return false }
    switch family {
    case .tornWrite: return last.sectors.upperBound > sectorCount
    case .tornWriteBackwards: return last.sectors.lowerBound > sectorCount
    default: return false
    }
  }

  /// Does to the members what was safe at the point, and then what survives.
  func apply(_ trace: Trace, to members: [TracedMember]) {
    for index in 0..<point {
      let event = trace.events[index]
      if event.kind == .write, index < safeEnds[event.subject] {
        apply(Piece(event: index, sectors: 0..<event.sectors.count), of: trace, to: members)
      }
    }
    for piece in pieces { apply(piece, of: trace, to: members) }
  }

  private func apply(_ piece: Piece, of trace: Trace, to members: [TracedMember]) {
    let event = trace.events[piece.event]
    let member = members[event.subject]
    let sector = event.sectors.lowerBound + piece.sectors.lowerBound
    guard let payload = event.payload else {
      return member.put(nil, atSector: sector, count: piece.sectors.count)
    }
    trace.withPayload(
      payload + piece.sectors.lowerBound * 512..<payload + piece.sectors.upperBound * 512
    ) {
      member.put($0, atSector: sector, count: piece.sectors.count)
    }
  }

  /// A number that is the same for cuts of one trace that leave the same on the members.
  func outcome(_ trace: Trace) -> UInt64 {
    var last: [Place: Int] = [:]
    func note(_ index: Int, _ part: Range<Int>) {
      let event = trace.events[index]
      for sector in part {
        last[Place(member: event.subject, sector: event.sectors.lowerBound + sector)] = index
      }
    }
    for index in 0..<point {
      let event = trace.events[index]
      if event.kind == .write, index < safeEnds[event.subject] {
        note(index, 0..<event.sectors.count)
      }
    }
    for piece in pieces { note(piece.event, piece.sectors) }
    return last.reduce(0) {
      $0 &+ Mixer(UInt64($1.key.member), UInt64($1.key.sector), UInt64($1.value)).value
    }
  }

  private struct Place: Hashable {
    var member: Int
    var sector: Int
  }
}

extension Trace {
  func withPayload(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> Void) {
    bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }
}
