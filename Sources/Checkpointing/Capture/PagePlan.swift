import LinuxSystem

/// Which pages of a process have to be saved, in pieces of a block's size.
struct PagePlan {
  /// Addresses in order; each piece is at most `pieceByteCount` in all.
  private(set) var pieces: [[Range<UInt64>]] = []
  private(set) var byteCount: UInt64 = 0
  private var open: [Range<UInt64>] = []
  private var openByteCount: UInt64 = 0

  static let pieceByteCount: UInt64 = 256 << 10

  /// The pages that are the process's own: written by it, and not a file's or the page of zeros.
  init(
    of process: ProcessID, _ areas: [AreaState]
  ) throws(SystemCallError) {
    let scan = try PageScan(of: process)
    for area in areas where area.keepsPages {
      for run in try scan.runs(
        in: area.addresses, wanted: [.present, .swapped], excluded: [.file, .zero, .guarded])
      {
        add(run.addresses)
      }
    }
    closePiece()
  }

  private mutating func add(_ run: Range<UInt64>) {
    var rest = run
    byteCount += UInt64(run.count)
    while !rest.isEmpty {
      let end = min(rest.upperBound, rest.lowerBound + Self.pieceByteCount - openByteCount)
      open.append(rest.lowerBound..<end)
      openByteCount += end - rest.lowerBound
      rest = end..<rest.upperBound
      if openByteCount == Self.pieceByteCount { closePiece() }
    }
  }

  private mutating func closePiece() {
    if open.isEmpty { return }
    pieces.append(open)
    open = []
    openByteCount = 0
  }
}

extension AreaState {
  /// Whether pages of it may be the process's own.
  var keepsPages: Bool { !isShared && content != .kernel }
}
