import BinaryCodec
import LinuxSystem
import SystemPackage

/// A process's memory, and where the image may write in it: in what is the process's own.
final class SpaceMemory: Sendable {
  let memory: ProcessMemory
  /// In order, neighbours joined.
  private let own: [Range<UInt64>]

  init(of process: ProcessID, _ areas: [AreaState]) throws(SystemCallError) {
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
    try about(memory.process) { () throws(SystemCallError) in
      do throws(SystemCallError) {
        try memory.writeQuickly(pages, range: 0..<pages.byteCount, areas: areas)
      } catch {
        guard error.errno == .badAddress || error.errno == .notPermitted else { throw error }
        // Some of them may not be written by the process itself.
        var done = 0
        for area in areas {
          try memory.write(pages, range: done..<done + area.count, at: area.lowerBound)
          done += area.count
        }
      }
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

  private func check(_ area: Range<UInt64>) throws(CheckpointError) {
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
