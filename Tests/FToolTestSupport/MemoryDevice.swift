import BlockStorage
import LinuxSystem

/// A device in memory that remembers what the last flush made safe, so that the power can be cut.
///
/// It starts as one hole. Writes fill sectors of 512 bytes; `zero` makes whole ones holes again.
package final class MemoryDevice: BlockDevice {
  package let name: String
  package let byteCount: Int

  /// What happened to a stretch of sectors since the last flush.
  private struct Change: Sendable {
    let offset: Int
    let previous: [UInt8]
    let wasData: [Bool]
  }

  private struct State: Sendable {
    var bytes: [UInt8]
    var isData: [Bool]
    /// In the order in which it happened; to be undone backwards.
    var changes: [Change] = []
    var flushCount = 0
  }

  private let state: Monitor<State>
  private static let sector = 512

  package init(byteCount: Int, name: String = "memory") {
    self.name = name
    self.byteCount = byteCount
    let sectors = (byteCount + Self.sector - 1) / Self.sector
    state = Monitor(
      State(
        bytes: [UInt8](repeating: 0, count: byteCount),
        isData: [Bool](repeating: false, count: sectors)))
  }

  /// A device that holds these bytes, safe already.
  package convenience init(_ bytes: [UInt8], name: String = "memory") {
    self.init(byteCount: bytes.count, name: name)
    state.withLock { state in
      state.bytes = bytes
      for index in state.isData.indices { state.isData[index] = true }
    }
  }

  package func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try requireInside(offset, range.count)
    precondition(range.lowerBound >= 0 && range.upperBound <= buffer.byteCount)
    buffer.withUnsafeMutableBytes { memory in
      let target = UnsafeMutableRawBufferPointer(rebasing: memory[range])
      state.withLock { target.copyBytes(from: $0.bytes[offset..<offset + range.count]) }
    }
  }

  package func write(
    _ buffer: RawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try requireInside(offset, range.count)
    precondition(range.lowerBound >= 0 && range.upperBound <= buffer.byteCount)
    let bytes = buffer.withUnsafeBytes { Array($0[range]) }
    state.withLock { Self.change(&$0, offset, bytes, isData: true) }
  }

  package func flush() throws(DeviceError) {
    state.withLock { state in
      state.changes.removeAll()
      state.flushCount += 1
    }
  }

  package func zero(_ range: Range<Int>) throws(DeviceError) {
    try requireInside(range.lowerBound, range.count)
    let zeros = [UInt8](repeating: 0, count: range.count)
    state.withLock { state in
      Self.change(&state, range.lowerBound, zeros, isData: true)
      // Only whole sectors become holes.
      let first = (range.lowerBound + Self.sector - 1) / Self.sector
      let isEnd = range.upperBound == state.bytes.count
      let last = isEnd ? state.isData.count : range.upperBound / Self.sector
      for sector in first..<max(first, last) { state.isData[sector] = false }
    }
  }

  package func extent(at offset: Int, limit: Int) -> Extent {
    let limit = min(limit, byteCount)
    guard offset < limit else { return Extent(isHole: false, range: offset..<offset) }
    return state.withLock { state in
      let first = offset / Self.sector
      let isData = state.isData[first]
      var end = first
      while end * Self.sector < limit && state.isData[end] == isData { end += 1 }
      return Extent(isHole: !isData, range: offset..<min(end * Self.sector, limit))
    }
  }

  private static func change(
    _ state: inout State, _ offset: Int, _ bytes: [UInt8], isData: Bool
  ) {
    if bytes.isEmpty { return }
    let end = offset + bytes.count
    let sectors = offset / sector..<(end + sector - 1) / sector
    state.changes.append(
      Change(
        offset: offset, previous: Array(state.bytes[offset..<end]),
        wasData: Array(state.isData[sectors])))
    state.bytes.replaceSubrange(offset..<end, with: bytes)
    for sector in sectors { state.isData[sector] = isData }
  }

  private static func undo(_ state: inout State, _ change: Change) {
    let end = change.offset + change.previous.count
    state.bytes.replaceSubrange(change.offset..<end, with: change.previous)
    let first = change.offset / sector
    state.isData.replaceSubrange(first..<first + change.wasData.count, with: change.wasData)
  }
}

extension MemoryDevice {
  /// All that is on it now.
  package var contents: [UInt8] { state.withLock { $0.bytes } }

  /// How often it was flushed.
  package var flushCount: Int { state.withLock { $0.flushCount } }

  /// How many writes a power cut could still undo.
  package var unsafeWriteCount: Int { state.withLock { $0.changes.count } }

  /// How many bytes are not holes.
  package var dataByteCount: Int { state.withLock { $0.isData.count { $0 } } * Self.sector }

  /// The power fails: everything since the last flush is gone.
  package func rollBack() {
    state.withLock { state in
      while let change = state.changes.popLast() { Self.undo(&state, change) }
    }
  }

  /// The power fails: of the writes since the last flush, chance decides sector by sector which are there.
  package func cutPower(using generator: inout some RandomNumberGenerator) {
    state.withLock { state in
      let present = state.bytes
      let changes = state.changes
      while let change = state.changes.popLast() { Self.undo(&state, change) }
      // What was written and survives holds what was there at the end; sectors written several times are
      // old or newest, which is what a disk's cache does as well.
      var sectors: Set<Int> = []
      for change in changes {
        let end = change.offset + change.previous.count
        sectors.formUnion(change.offset / Self.sector..<(end + Self.sector - 1) / Self.sector)
      }
      for sector in sectors.sorted() where Bool.random(using: &generator) {
        let range = sector * Self.sector..<min((sector + 1) * Self.sector, present.count)
        state.bytes.replaceSubrange(range, with: present[range])
        state.isData[sector] = true
      }
    }
  }

  /// Changes bytes behind everybody's back, as decay does; safe at once, and no operation.
  package func corrupt(_ range: Range<Int>, _ change: (UInt8) -> UInt8 = { ~$0 }) {
    state.withLock { state in
      for offset in range { state.bytes[offset] = change(state.bytes[offset]) }
      for sector in range.lowerBound / Self.sector..<(range.upperBound + Self.sector - 1)
        / Self.sector
      {
        state.isData[sector] = true
      }
    }
  }

  /// A copy of what is on it now, all of it safe.
  package func copy(name: String? = nil) -> MemoryDevice {
    MemoryDevice(contents, name: name ?? self.name)
  }
}
