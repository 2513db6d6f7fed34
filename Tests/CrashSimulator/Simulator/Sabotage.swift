/// What a member does that does not keep its word, or an engine that makes its calls in another order: to see
/// whether the simulator notices.
package enum Sabotage: Sendable {
  /// One flush of one member is acknowledged and not made; counted from 0 over the members' flushes.
  case dropFlush(number: Int)
  /// All flushes of a member are.
  case dropFlushes(ofMember: Int)
  /// All flushes of all members are.
  case dropAllFlushes
  /// One flush of one member comes before the last write that it was to make safe.
  case flushEarly(number: Int)
  /// The bitmap is never told what is about to be written, only that its array is in use.
  case dropMarks
}

extension Scenario {
  /// From now on the trace is what it would have been with this.
  package func suffer(_ sabotage: Sabotage) {
    let bitmap = bitmapSectors
    let superblock = superblockSectors
    change { trace in
      switch sabotage {
      case .dropFlush(let number):
        trace.events.remove(at: trace.flushes[number])
      case .dropFlushes(let member):
        trace.events.removeAll { $0.kind == .flush && $0.subject == member }
      case .dropAllFlushes:
        trace.events.removeAll { $0.kind == .flush }
      case .flushEarly(let number):
        let place = trace.flushes[number]
        let flush = trace.events.remove(at: place)
        let write = trace.events[..<place].lastIndex {
          $0.kind == .write && $0.subject == flush.subject
        }
        trace.events.insert(flush, at: write ?? place)
      case .dropMarks: trace.dropMarks(bitmap, superblock)
      }
    }
  }
}

extension Trace {
  /// Within each write to the array, the bitmap's last change is what marks it; one before a superblock is of
  /// the event count.
  fileprivate mutating func dropMarks(_ bitmap: Range<Int>, _ superblock: Range<Int>) {
    var isWriting = false
    var kept: [Event] = []
    for index in events.indices {
      let event = events[index]
      if event.kind == .writeBegan { isWriting = true }
      if event.kind == .writeEnded { isWriting = false }
      let isOfBitmap = event.kind == .write && event.sectors.overlaps(bitmap)
      let next = events[(index + 1)...].first {
        $0.kind == .writeEnded || $0.kind == .write && $0.sectors.overlaps(superblock)
      }
      if isOfBitmap, isWriting, next?.kind == .writeEnded { continue }
      kept.append(event)
    }
    events = kept
  }

  /// Where members were flushed.
  package var flushes: [Int] { events.indices.filter { events[$0].kind == .flush } }
}
