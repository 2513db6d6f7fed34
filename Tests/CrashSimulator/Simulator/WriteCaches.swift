/// What the members' caches hold at one point of a trace: what no flush has made safe yet.
package struct WriteCaches: Sendable {
  /// The events before it have happened.
  let point: Int
  /// By member: up to which event its writes are safe.
  let safeEnds: [Int]
  /// Writes that a power cut may lose, in order: indices of events.
  package let writes: [Int]

  package init(_ trace: Trace, at point: Int, memberCount: Int) {
    self.point = point
    var safeEnds = [Int](repeating: 0, count: memberCount)
    for index in 0..<point where trace.events[index].kind == .flush {
      safeEnds[trace.events[index].subject] = index
    }
    self.safeEnds = safeEnds
    let first = safeEnds.min() ?? 0
    var writes: [Int] = []
    for index in first..<point {
      let event = trace.events[index]
      if event.kind == .write, index >= safeEnds[event.subject] { writes.append(index) }
    }
    self.writes = writes
  }
}
