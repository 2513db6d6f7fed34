import BlockStorage
import LinuxSystem

/// A disk in memory whose writes, zeros and flushes a tape takes down, and that can be put back to how it
/// was by copying no more than was changed.
package final class TracedMember: BlockDevice {
  private struct State {
    var bytes: [UInt8]
    /// What it is put back to.
    var base: [UInt8]
    /// Pages in which `bytes` may differ from `base`.
    var changedPages: [Int] = []
    var isChanged: [Bool]
  }

  package let name: String
  package let byteCount: Int
  /// Its number in the trace.
  package let index: Int
  private let tape: Tape
  private let turns: TurnOrder
  private let state: Monitor<State>
  private static let pageByteCount = 4096

  /// All zeros.
  ///
  /// - Parameter turns: who goes on where several threads use the array.
  init(index: Int, byteCount: Int, tape: Tape, turns: TurnOrder) {
    self.index = index
    name = "m\(index)"
    self.byteCount = byteCount
    self.tape = tape
    self.turns = turns
    let zeros = [UInt8](repeating: 0, count: byteCount)
    let pages = (byteCount + Self.pageByteCount - 1) / Self.pageByteCount
    state = Monitor(
      State(bytes: zeros, base: zeros, isChanged: [Bool](repeating: false, count: pages)))
  }

  package func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try requireInside(offset, range.count)
    turns.pass(offset, writes: false)
    buffer.withUnsafeMutableBytes { memory in
      let target = UnsafeMutableRawBufferPointer(rebasing: memory[range])
      state.withLock { state in
        state.bytes.withUnsafeBytes { bytes in
          target.copyMemory(
            from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + range.count]))
        }
      }
    }
  }

  package func write(
    _ buffer: RawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try requireInside(offset, range.count)
    if range.isEmpty { return }
    turns.pass(offset, writes: true)
    buffer.withUnsafeBytes { memory in
      let content = UnsafeRawBufferPointer(rebasing: memory[range])
      state.withLock { state in
        Self.change(&state, offset..<offset + range.count, content)
        note(state, offset..<offset + range.count)
      }
    }
  }

  package func zero(_ range: Range<Int>) throws(DeviceError) {
    try requireInside(range.lowerBound, range.count)
    if range.isEmpty { return }
    state.withLock { state in
      Self.change(&state, range, nil)
      let isWhole = range.lowerBound % 512 == 0 && range.upperBound % 512 == 0
      if isWhole {
        tape.noteWrite(index, range.lowerBound / 512..<range.upperBound / 512, nil)
      } else {
        note(state, range)
      }
    }
  }

  package func flush() throws(DeviceError) { tape.note(.flush, index) }

  /// Takes down whole sectors, with what their other bytes hold: disks write no less.
  private func note(_ state: borrowing State, _ range: Range<Int>) {
    let sectors = range.lowerBound / 512..<(range.upperBound + 511) / 512
    state.bytes.withUnsafeBytes { bytes in
      tape.noteWrite(
        index, sectors,
        UnsafeRawBufferPointer(
          rebasing: bytes[sectors.lowerBound * 512..<sectors.upperBound * 512]))
    }
  }

  private static func change(
    _ state: inout State, _ range: Range<Int>, _ content: UnsafeRawBufferPointer?
  ) {
    for page in range.lowerBound / pageByteCount...(range.upperBound - 1) / pageByteCount
    where !state.isChanged[page] {
      state.isChanged[page] = true
      state.changedPages.append(page)
    }
    state.bytes.withUnsafeMutableBytes { bytes in
      let target = UnsafeMutableRawBufferPointer(rebasing: bytes[range])
      if let content {
        target.copyMemory(from: content)
      } else {
        target.initializeMemory(as: UInt8.self, repeating: 0)
      }
    }
  }
}

extension TracedMember {
  /// As it is now it will be put back to.
  func keep() {
    state.withLock { state in
      state.base = state.bytes
      for page in state.changedPages { state.isChanged[page] = false }
      state.changedPages.removeAll(keepingCapacity: true)
    }
  }

  /// Is again what it was when it was kept.
  func putBack() {
    state.withLock { state in
      for page in state.changedPages {
        let range =
          page * Self.pageByteCount..<min((page + 1) * Self.pageByteCount, state.bytes.count)
        state.base.withUnsafeBytes { base in
          state.bytes.withUnsafeMutableBytes { bytes in
            UnsafeMutableRawBufferPointer(rebasing: bytes[range])
              .copyMemory(from: UnsafeRawBufferPointer(rebasing: base[range]))
          }
        }
        state.isChanged[page] = false
      }
      state.changedPages.removeAll(keepingCapacity: true)
    }
  }

  /// Writes sectors behind everybody's back: what was on its way when the power went off, or decay.
  ///
  /// - Parameter content: nil for zeros.
  func put(_ content: UnsafeRawBufferPointer?, atSector sector: Int, count: Int) {
    state.withLock { Self.change(&$0, sector * 512..<(sector + count) * 512, content) }
  }

  /// All that is on it now.
  package var contents: [UInt8] { state.withLock { $0.bytes } }
}
