import BinaryCodec
import LinuxSystem
import SystemPackage

/// Where the content of shared memory is read while the tree stands still: from the memory as a file or,
/// where that may not be opened, through a process that maps it.
final class ObjectContent: MemorySource {
  let file: OpenSource?
  private let mappings = Monitor<[Mapping]>([])

  final class OpenSource: Sendable {
    let descriptor: OwnedDescriptor
    init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }
  }

  private struct Mapping: Sendable {
    var process: ProcessID
    var offsets: Range<UInt64>
    var address: UInt64
  }

  init(_ file: consuming OwnedDescriptor) { self.file = OpenSource(file) }
  init() { file = nil }

  func addMapping(_ area: MemoryArea, of process: ProcessID) {
    guard area.isShared else { return }
    let mapping = Mapping(
      process: process, offsets: area.fileOffset..<area.fileOffset + area.byteCount,
      address: area.addresses.lowerBound)
    mappings.withLock { $0.append(mapping) }
  }

  /// The runs of pages that may be more than zeros, within so many bytes.
  func runs(byteCount: UInt64) -> [Range<UInt64>] {
    guard let file else {
      var runs: [Range<UInt64>] = []
      for run in mappings.withLock({ $0 }).map(\.offsets).sorted(by: {
        $0.lowerBound < $1.lowerBound
      }) {
        let start = max(run.lowerBound, runs.last?.upperBound ?? 0)
        let end = min(run.upperBound, (byteCount + 4095) & ~4095)
        if start < end { runs.append(start..<end) }
      }
      return runs
    }
    var runs: [Range<UInt64>] = []
    var offset = 0
    while offset < Int(clamping: byteCount), let start = file.descriptor.nextData(from: offset) {
      let end = min(file.descriptor.nextHole(from: start) ?? Int(byteCount), Int(byteCount))
      if start >= end { break }
      let first = max(UInt64(start) & ~4095, runs.last?.upperBound ?? 0)
      let last = (UInt64(end) + 4095) & ~4095
      if first < last { runs.append(first..<last) }
      offset = end
    }
    return runs
  }

  func read(into buffer: inout MutableRawSpan, _ areas: [Range<UInt64>]) throws(CheckpointError) {
    do throws(SystemCallError) {
      try readAll(into: &buffer, areas)
    } catch {
      throw .system(error, process: nil)
    }
  }

  /// It goes with its last user, and is itself open here, or mapped by who was confirmed.
  func confirm() {}

  private func readAll(
    into buffer: inout MutableRawSpan, _ areas: [Range<UInt64>]
  ) throws(SystemCallError) {
    var done = 0
    for area in areas {
      let range = done..<done + area.count
      var got = 0
      if let file {
        got = try file.descriptor.read(into: &buffer, range: range, at: Int(area.lowerBound))
      } else {
        got = try readThroughMapping(into: &buffer, range, area)
      }
      // The last page of a file ends before it does.
      buffer.zero(range.lowerBound + got..<range.upperBound)
      done = range.upperBound
    }
  }

  private func readThroughMapping(
    into buffer: inout MutableRawSpan, _ range: Range<Int>, _ area: Range<UInt64>
  ) throws(SystemCallError) -> Int {
    let mappings = mappings.withLock { $0 }
    var got = 0
    while got < range.count {
      let offset = area.lowerBound + UInt64(got)
      guard let mapping = mappings.first(where: { $0.offsets.contains(offset) }) else { break }
      let count = min(range.count - got, Int(mapping.offsets.upperBound - offset))
      let part = try ProcessMemory(of: mapping.process).read(
        into: &buffer, range: range.lowerBound + got..<range.lowerBound + got + count,
        at: mapping.address + (offset - mapping.offsets.lowerBound))
      got += part
      if part < count { break }
    }
    return got
  }
}
