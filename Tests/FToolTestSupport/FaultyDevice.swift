import BlockStorage
import LinuxSystem
import SystemPackage

/// A device that wraps another one and goes wrong as planned.
///
/// Operations are counted from 0, each kind by itself and all together; a fault comes at an operation's
/// turn, or whenever an operation of its kind touches its bytes. A request in pieces is one operation.
package final class FaultyDevice: BlockDevice {
  package enum Kind: Hashable, Sendable, CaseIterable { case read, write, flush, zero }

  /// When a fault comes.
  package enum Trigger: Equatable, Sendable {
    /// At the nth operation of this kind; nil is any kind.
    case operation(Int, of: Kind?)
    /// From the nth operation of this kind on.
    case fromOperation(Int, of: Kind?)
    /// At every operation of this kind that touches the bytes.
    case touching(Range<Int>, by: Kind?)
    /// At the nth of those.
    case nthTouching(Int, Range<Int>, by: Kind?)
  }

  /// What a fault is.
  package enum Effect: Equatable, Sendable {
    /// It fails and has done nothing.
    case fail(DeviceError)
    /// So many bytes (rounded down to sectors of 512) are transferred, then it fails.
    case tear(after: Int, DeviceError)
    /// It says that it was done, and nothing was: a lost write, a flush that lies.
    case ignore
    /// What is read, or what reaches the disk, has bits of this byte of the request flipped.
    case flip(byte: Int, mask: UInt8)
    /// The transfer goes so many bytes astray.
    case misdirect(by: Int)
    /// The device is gone: this operation and all after it.
    case vanish
  }

  /// A fault that is to come.
  package struct Fault: Equatable, Sendable {
    package let trigger: Trigger
    package let effect: Effect

    package init(_ trigger: Trigger, _ effect: Effect) {
      self.trigger = trigger
      self.effect = effect
    }
  }

  private struct State: Sendable {
    var plan: [Fault]
    var counts: [Kind: Int] = [:]
    /// How often the bytes of each fault of the plan were touched.
    var touches: [Int: Int] = [:]
    var total = 0
    var isGone = false
    /// It vanished at some time, even if it is back.
    var wasGone = false
    var happened = 0
  }

  package let device: any BlockDevice
  private let state: Monitor<State>

  package init(_ device: any BlockDevice, plan: [Fault] = []) {
    self.device = device
    state = Monitor(State(plan: plan))
  }

  package var name: String { device.name }
  package var byteCount: Int { device.byteCount }
  package var sectorByteCount: Int { device.sectorByteCount }

  package func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try read(into: &buffer, pieces: [range], at: offset)
  }

  package func read(
    into buffer: inout MutableRawSpan, pieces: [Range<Int>], at offset: Int
  ) throws(DeviceError) {
    let count = pieces.reduce(0) { $0 + $1.count }
    switch try next(.read, offset, count) {
    case nil: try device.read(into: &buffer, pieces: pieces, at: offset)
    case .ignore: break
    case .tear(let after, let error):
      try device.read(into: &buffer, pieces: Self.first(after / 512 * 512, of: pieces), at: offset)
      throw error
    case .flip(let byte, let mask):
      try device.read(into: &buffer, pieces: pieces, at: offset)
      guard let index = Self.position(of: byte, in: pieces) else { return }
      buffer.withUnsafeMutableBytes { $0[index] ^= mask }
    case .misdirect(let distance):
      try device.read(into: &buffer, pieces: pieces, at: clamp(offset + distance, count))
    case .fail(let error): throw error
    case .vanish: throw .gone(.noSuchAddressOrDevice)
    }
  }

  package func write(
    _ buffer: RawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try write(buffer, pieces: [range], at: offset)
  }

  package func write(
    _ buffer: RawSpan, pieces: [Range<Int>], at offset: Int
  ) throws(DeviceError) {
    let count = pieces.reduce(0) { $0 + $1.count }
    switch try next(.write, offset, count) {
    case nil: try device.write(buffer, pieces: pieces, at: offset)
    case .ignore: break
    case .tear(let after, let error):
      try device.write(buffer, pieces: Self.first(after / 512 * 512, of: pieces), at: offset)
      throw error
    case .flip(let byte, let mask):
      var changed = buffer.withUnsafeBytes { Array($0) }
      if let index = Self.position(of: byte, in: pieces) { changed[index] ^= mask }
      let copy = AlignedBuffer(changed)
      try device.write(copy.bytes, pieces: pieces, at: offset)
    case .misdirect(let distance):
      try device.write(buffer, pieces: pieces, at: clamp(offset + distance, count))
    case .fail(let error): throw error
    case .vanish: throw .gone(.noSuchAddressOrDevice)
    }
  }

  package func flush() throws(DeviceError) {
    switch try next(.flush, 0, 0) {
    case .fail(let error), .tear(_, let error): throw error
    case .vanish: throw .gone(.noSuchAddressOrDevice)
    case .ignore: break
    case nil, .flip, .misdirect: try device.flush()
    }
  }

  package func zero(_ range: Range<Int>) throws(DeviceError) {
    switch try next(.zero, range.lowerBound, range.count) {
    case .fail(let error): throw error
    case .vanish: throw .gone(.noSuchAddressOrDevice)
    case .ignore: break
    case .tear(let after, let error):
      let end = range.lowerBound + min(after / 512 * 512, range.count)
      try device.zero(range.lowerBound..<end)
      throw error
    case .misdirect(let distance):
      let start = clamp(range.lowerBound + distance, range.count)
      try device.zero(start..<start + range.count)
    case nil, .flip: try device.zero(range)
    }
  }

  package func extent(at offset: Int, limit: Int) -> Extent {
    device.extent(at: offset, limit: limit)
  }
}

extension FaultyDevice {
  /// Adds to the plan; a number in it counts from the first operation of all.
  package func plan(_ fault: Fault) { state.withLock { $0.plan.append(fault) } }

  /// Nothing goes wrong any more, and who was gone is back.
  package func heal() {
    state.withLock { state in
      state.plan = []
      state.isGone = false
    }
  }

  /// How many operations there were: of one kind, or of all.
  package func operationCount(_ kind: Kind? = nil) -> Int {
    state.withLock { state in kind.map { state.counts[$0] ?? 0 } ?? state.total }
  }

  /// Whether it was gone for a while, so that nobody could undo what had been written.
  package var wasGone: Bool { state.withLock { $0.wasGone } }

  /// How many faults came.
  package var faultCount: Int { state.withLock { $0.happened } }

  /// Counts the operation, and says what goes wrong with it.
  private func next(_ kind: Kind, _ offset: Int, _ count: Int) throws(DeviceError) -> Effect? {
    try device.requireInside(offset, count)
    return state.withLock { state in
      let ofKind = state.counts[kind, default: 0]
      let ofAll = state.total
      state.counts[kind] = ofKind + 1
      state.total += 1
      if state.isGone { return .vanish }
      func touches(_ bytes: Range<Int>, _ wanted: Kind?) -> Bool {
        (wanted == nil || wanted == kind) && kind != .flush
          && bytes.overlaps(offset..<offset + count)
      }
      let index = state.plan.indices.first { index in
        switch state.plan[index].trigger {
        case .operation(let number, let wanted):
          return wanted == nil ? number == ofAll : wanted == kind && number == ofKind
        case .fromOperation(let number, let wanted):
          return wanted == nil ? number <= ofAll : wanted == kind && number <= ofKind
        case .touching(let bytes, let wanted):
          return touches(bytes, wanted)
        case .nthTouching(let number, let bytes, let wanted):
          guard touches(bytes, wanted) else { return false }
          let turn = state.touches[index, default: 0]
          state.touches[index] = turn + 1
          return turn == number
        }
      }
      guard let index else { return nil }
      let fault = state.plan[index]
      state.happened += 1
      if fault.effect == .vanish {
        state.isGone = true
        state.wasGone = true
      }
      return fault.effect
    }
  }

  /// As near to the offset as the device allows.
  private func clamp(_ offset: Int, _ count: Int) -> Int {
    max(0, min(offset, byteCount - count))
  }

  /// The pieces' first bytes, so many of them.
  private static func first(_ count: Int, of pieces: [Range<Int>]) -> [Range<Int>] {
    var left = count
    return pieces.map { piece in
      let taken = min(left, piece.count)
      left -= taken
      return piece.lowerBound..<piece.lowerBound + taken
    }
  }

  /// Where the nth byte of the request lies in the buffer.
  private static func position(of byte: Int, in pieces: [Range<Int>]) -> Int? {
    var left = byte
    for piece in pieces {
      if left < piece.count { return piece.lowerBound + left }
      left -= piece.count
    }
    return nil
  }
}
