import LinuxSystem

/// Which pages of a memory have to be saved, in pieces of a block's size. They are looked for as they are
/// read, so that a plan takes no more memory for more pages.
struct PagePlan: Sendable {
  private let pages: Pages

  private enum Pages: Sendable {
    case process(ProcessID, [AreaState], InheritedPages?)
    case runs([Range<UInt64>])
    case pieces([PagePiece])
  }

  /// The pages that are the process's own: written by it, and not a file's or the page of zeros.
  init(of process: ProcessID, _ areas: [AreaState], inherited: InheritedPages? = nil) {
    pages = .process(process, areas.filter(\.keepsPages), inherited)
  }

  /// Pages that are known; addresses of shared memory are offsets in it.
  init(of runs: [Range<UInt64>]) { pages = .runs(runs) }

  init(of pieces: [PagePiece]) { pages = .pieces(pieces) }

  /// Calls the body with one piece after the other, in the order of the addresses.
  func forEachPiece(
    _ body: (PagePiece) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    switch pages {
    case .pieces(let pieces): for piece in pieces { try body(piece) }
    case .runs(let runs):
      var cutter = PieceCutter()
      for run in runs { try cutter.add([run], keepsZeros: false, body) }
      try cutter.finish(body)
    case .process(let process, let areas, let inherited):
      try Self.scan(process, areas, inherited, body)
    }
  }

  private static func scan(
    _ process: ProcessID, _ areas: [AreaState], _ inherited: InheritedPages?,
    _ body: (PagePiece) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    var cutter = PieceCutter()
    let scan = try about(process) { () throws(SystemCallError) in try PageScan(of: process) }
    for area in areas {
      // A page of zeros says nothing, but for where a file or an object has something else.
      let keepsZeros = area.content != .anonymous
      for (part, isInherited) in inherited?.parts(of: area.addresses) ?? [(area.addresses, false)] {
        var start = part.lowerBound
        while start < part.upperBound {
          let window = start..<min(part.upperBound, start.advanced(by: windowByteCount))
          let (runs, end) = try about(process) { () throws(SystemCallError) in
            try scan.firstOwnRuns(in: isInherited ? window : start..<part.upperBound)
          }
          let parents = isInherited ? try inherited?.runs(in: start..<end) ?? [] : []
          try cutter.add(runs, keepsZeros: keepsZeros, parents: parents, body)
          start = end
        }
      }
    }
    try cutter.finish(body)
  }

  /// What is compared with the parent's at a time.
  private static let windowByteCount = 1 << 32
}

/// Pages to be read at once.
struct PagePiece: Sendable {
  /// Addresses in order, at most `byteLimit` in all.
  var areas: [Range<UInt64>] = []
  /// For each of the areas, whether pages of zeros count.
  var keepsZeros: [Bool] = []
  /// What of them the parent has as well at the same addresses.
  var parents: [Range<UInt64>] = []
  /// What the parent has there, and the process has not.
  var dropped: [Range<UInt64>] = []
  var byteCount = 0

  static let byteLimit = 256 << 10
}

/// Cuts runs of pages into pieces.
private struct PieceCutter {
  private var open = PagePiece()

  private static let droppedLimit = 1024

  /// All runs are behind those that were added before.
  mutating func add(
    _ runs: [Range<UInt64>], keepsZeros: Bool, parents: [Range<UInt64>] = [],
    _ body: (PagePiece) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    for run in parents.subtracting(runs) {
      open.dropped.append(run)
      if open.dropped.count == Self.droppedLimit { try close(body) }
    }
    var next = 0  // the first of the parents' runs that is not all before
    for run in runs {
      var rest = run
      while !rest.isEmpty {
        let room = UInt64(PagePiece.byteLimit - open.byteCount)
        let part = rest.lowerBound..<min(rest.upperBound, rest.lowerBound + room)
        open.areas.append(part)
        open.keepsZeros.append(keepsZeros)
        open.byteCount += part.count
        while next < parents.count && parents[next].upperBound <= part.lowerBound { next += 1 }
        var other = next
        while other < parents.count && parents[other].lowerBound < part.upperBound {
          open.parents.append(parents[other].clamped(to: part))
          other += 1
        }
        rest = part.upperBound..<rest.upperBound
        if open.byteCount == PagePiece.byteLimit { try close(body) }
      }
    }
  }

  mutating func finish(
    _ body: (PagePiece) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    if !open.areas.isEmpty || !open.dropped.isEmpty { try close(body) }
  }

  private mutating func close(
    _ body: (PagePiece) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    let piece = open
    self.open = PagePiece()
    try body(piece)
  }
}

extension [Range<UInt64>] {
  /// What is in none of the others; both in order.
  func subtracting(_ others: [Range<UInt64>]) -> [Range<UInt64>] {
    var left: [Range<UInt64>] = []
    var next = 0
    for range in self {
      var start = range.lowerBound
      while next < others.count && others[next].upperBound <= start { next += 1 }
      var other = next
      while other < others.count && others[other].lowerBound < range.upperBound {
        if start < others[other].lowerBound { left.append(start..<others[other].lowerBound) }
        start = Swift.max(start, others[other].upperBound)
        other += 1
      }
      if start < range.upperBound { left.append(start..<range.upperBound) }
    }
    return left
  }
}

/// The memory of a process's parent, where the process may have the same.
struct InheritedPages: Sendable {
  /// Whose pages are looked at.
  let parent: ProcessID
  let source: any MemorySource
  /// Where: in order.
  let ranges: [Range<UInt64>]

  /// The addresses in pieces, with whether they are in the ranges.
  func parts(of addresses: Range<UInt64>) -> [(Range<UInt64>, isInherited: Bool)] {
    let rest = [addresses].subtracting(ranges).map { ($0, isInherited: false) }
    let inside = ranges.filter { $0.overlaps(addresses) }.map {
      ($0.clamped(to: addresses), isInherited: true)
    }
    return (rest + inside).sorted { $0.0.lowerBound < $1.0.lowerBound }
  }

  /// The pages that are the parent's own.
  func runs(in addresses: Range<UInt64>) throws(CheckpointError) -> [Range<UInt64>] {
    let parent = parent
    return try about(parent) { () throws(SystemCallError) in
      let scan = try PageScan(of: parent)
      var runs: [Range<UInt64>] = []
      var start = addresses.lowerBound
      while start < addresses.upperBound {
        let (found, end) = try scan.firstOwnRuns(in: start..<addresses.upperBound)
        runs += found
        start = end
      }
      return runs
    }
  }
}

extension PageScan {
  /// Runs of pages that are the process's own, and the address up to which there are no others.
  fileprivate borrowing func firstOwnRuns(
    in addresses: Range<UInt64>
  ) throws(SystemCallError) -> (runs: [Range<UInt64>], end: UInt64) {
    let (runs, end) = try firstRuns(
      in: addresses, wanted: [.present, .swapped], excluded: [.file, .zero, .guarded])
    return (runs.map(\.addresses), end)
  }
}

extension AreaState {
  /// Whether pages of it may be the process's own. Those that the kernel may drop at any time count as
  /// dropped: random numbers are made from them, and must not be made twice.
  var keepsPages: Bool { !isShared && content != .kernel && !isDroppable }

  /// MAP_DROPPABLE.
  var isDroppable: Bool { flags.contains("dp") }
}
