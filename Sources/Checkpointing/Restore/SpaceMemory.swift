import BinaryCodec
import LinuxSystem
import SystemPackage

/// A process's memory, and where the image may write in it: in what is the process's own.
final class SpaceMemory: Sendable {
  let memory: ProcessMemory
  /// In order, neighbours joined.
  private let own: [Range<UInt64>]
  private let filling: Monitor<Filling?>

  /// Memory without huge pages is filled in a quicker way than by writing.
  struct Filling: Sendable {
    let filler: PageFiller
    /// Where, in order.
    let ranges: [Range<UInt64>]

    /// The part of a range from its start on that is all filled this way, or all not.
    func first(of range: Range<UInt64>) -> (part: Range<UInt64>, isFilled: Bool) {
      var low = 0
      var high = ranges.count
      while low < high {
        let middle = (low + high) / 2
        if ranges[middle].upperBound <= range.lowerBound { low = middle + 1 } else { high = middle }
      }
      guard low < ranges.count, ranges[low].lowerBound < range.upperBound else {
        return (range, false)
      }
      if ranges[low].lowerBound > range.lowerBound {
        return (range.lowerBound..<ranges[low].lowerBound, false)
      }
      return (range.lowerBound..<min(range.upperBound, ranges[low].upperBound), true)
    }
  }

  init(
    of process: ProcessID, _ areas: [AreaState], _ filling: Filling?
  ) throws(SystemCallError) {
    self.filling = Monitor(filling)
    memory = try ProcessMemory(of: process)
    var own: [Range<UInt64>] = []
    for area in areas.filter(\.keepsPages).sorted(by: { $0.address < $1.address }) {
      if let last = own.last, last.upperBound == area.address {
        own[own.count - 1] = last.lowerBound..<area.addresses.upperBound
      } else {
        own.append(area.addresses)
      }
    }
    self.own = own
  }

  func fill(_ pages: RawSpan, _ areas: [Range<UInt64>]) throws(CheckpointError) {
    for area in areas { try check(area) }
    guard areas.reduce(0, { $0 + $1.count }) == pages.byteCount else {
      throw .inconsistent(.pageOutsideAreas)
    }
    try about(memory.process) { () throws(SystemCallError) in
      var done = 0
      guard let filling = filling.withLock({ $0 }) else {
        return try write(pages, 0..<pages.byteCount, areas)
      }
      for area in areas {
        var rest = area
        while !rest.isEmpty {
          let (part, isFilled) = filling.first(of: rest)
          let range = done..<done + part.count
          if isFilled {
            try fill(pages, range, part, filling.filler)
          } else {
            try write(pages, range, [part])
          }
          done += part.count
          rest = part.upperBound..<rest.upperBound
        }
      }
    }
  }

  private func fill(
    _ pages: RawSpan, _ range: Range<Int>, _ area: Range<UInt64>, _ filler: PageFiller
  ) throws(SystemCallError) {
    var done = 0
    while done < range.count {
      let address = area.lowerBound + UInt64(done)
      done += try filler.fill(
        pages, range: range.lowerBound + done..<range.upperBound, at: address)
      if done == range.count { return }
      // A page that is there already: an image that says it twice.
      let page = range.lowerBound + done..<range.lowerBound + done + Self.pageByteCount
      try memory.write(pages, range: page, at: area.lowerBound + UInt64(done))
      done += Self.pageByteCount
    }
  }

  private static let pageByteCount = Machine.pageSize

  private func write(
    _ pages: RawSpan, _ range: Range<Int>, _ areas: [Range<UInt64>]
  ) throws(SystemCallError) {
    do throws(SystemCallError) {
      try memory.writeQuickly(pages, range: range, areas: areas)
    } catch {
      guard error.errno == .badAddress || error.errno == .notPermitted else { throw error }
      // Some of them may not be written by the process itself.
      var done = range.lowerBound
      for area in areas {
        try memory.write(pages, range: done..<done + area.count, at: area.lowerBound)
        done += area.count
      }
    }
  }

  /// Memory is whole: from now on what has no page gets one of zeros, as always.
  func finish() throws(CheckpointError) {
    guard let filling = filling.withLock({ $0.take() }) else { return }
    try about(memory.process) { () throws(SystemCallError) in
      for range in filling.ranges { try filling.filler.release(range) }
    }
  }

  func read(at address: UInt64, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    let count = buffer.byteCount
    let (end, overflow) = address.addingReportingOverflow(UInt64(count))
    guard !overflow else { throw .inconsistent(.pageOutsideAreas) }
    try check(address..<end)
    var got = 0
    do throws(SystemCallError) {
      got = try memory.read(into: &buffer, range: 0..<count, at: address)
    } catch {
      throw .system(error, process: memory.process)
    }
    guard got == count else { throw .inconsistent(.pageOutsideAreas) }
  }

  /// Throws unless all of it is the process's own.
  func check(_ area: Range<UInt64>) throws(CheckpointError) {
    var low = 0
    var high = own.count
    while low < high {
      let middle = (low + high) / 2
      if own[middle].upperBound <= area.lowerBound { low = middle + 1 } else { high = middle }
    }
    guard low < own.count, own[low].lowerBound <= area.lowerBound,
      area.upperBound <= own[low].upperBound
    else { throw .inconsistent(.pageOutsideAreas) }
  }
}
