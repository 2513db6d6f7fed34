import LinuxSystem
import SystemPackage

extension FileDevice {
  package func zero(_ range: Range<Int>) throws(DeviceError) {
    try requireInside(range.lowerBound, range.count)
    try requireWhole()
    // Devices only do whole sectors; the ends are written.
    let start = min(
      (range.lowerBound + sectorByteCount - 1) / sectorByteCount * sectorByteCount, range.upperBound
    )
    let end = max(range.upperBound / sectorByteCount * sectorByteCount, start)
    if range.lowerBound < start { try writeZeros(range.lowerBound..<start) }
    if start < end { try zeroSectors(start..<end) }
    if end < range.upperBound { try writeZeros(end..<range.upperBound) }
  }

  private func zeroSectors(_ range: Range<Int>) throws(DeviceError) {
    do throws(SystemCallError) {
      try descriptor.punchHole(range)
      return
    } catch {
      try requireHarmless(error, range)
    }
    do throws(SystemCallError) {
      try descriptor.zeroRange(range)
      return
    } catch {
      try requireHarmless(error, range)
    }
    try writeZeros(range)
  }

  /// Throws unless the error only means that this way of zeroing is not for this device. A device may
  /// say that late and in odd ways, so anything but its end leads to the next way, and at last to writing.
  private func requireHarmless(
    _ error: SystemCallError, _ range: Range<Int>
  ) throws(DeviceError) {
    if case .gone(let errno) = DeviceError(writing: range.lowerBound, error) {
      throw .gone(errno)
    }
  }

  package func isHole(_ range: Range<Int>) -> Bool {
    // To look for a hole passes over all the data before it; to look for data does not.
    guard kind == .regular, range.upperBound <= byteCount else { return false }
    if let data = descriptor.nextData(from: range.lowerBound) { return data >= range.upperBound }
    return descriptor.nextHole(from: range.lowerBound) == range.lowerBound
  }

  package func extent(at offset: Int, limit: Int) -> Extent {
    let limit = min(limit, byteCount)
    let data = Extent(isHole: false, range: offset..<max(offset, limit))
    guard offset < limit, kind == .regular, let hole = descriptor.nextHole(from: offset) else {
      return data
    }
    if hole > offset { return Extent(isHole: false, range: offset..<min(hole, limit)) }
    let end = descriptor.nextData(from: offset) ?? limit
    if end <= offset { return data }  // it was filled meanwhile
    return Extent(isHole: true, range: offset..<min(end, limit))
  }
}

/// Locks that keep two programs off the same members.
extension FileDevice {
  /// As `OwnedDescriptor.tryLock`.
  package func tryLock(
    _ mode: LockMode, range: Range<Int>? = nil
  ) throws(SystemCallError) -> Bool { try descriptor.tryLock(mode, range: range) }

  /// As `OwnedDescriptor.unlock`.
  package func unlock(range: Range<Int>? = nil) throws(SystemCallError) {
    try descriptor.unlock(range: range)
  }

  /// As `OwnedDescriptor.lockHolder`.
  package func lockHolder(
    against mode: LockMode = .exclusive, range: Range<Int>? = nil
  ) throws(SystemCallError) -> LockHolder? {
    try descriptor.lockHolder(against: mode, range: range)
  }

  /// As `OwnedDescriptor.advise`.
  package func advise(_ advice: OwnedDescriptor.Advice, range: Range<Int>? = nil) {
    descriptor.advise(advice, range: range)
  }

  /// What the file occupies; for a device, nothing of its own.
  package var allocatedByteCount: Int {
    get throws(SystemCallError) { try descriptor.allocatedByteCount }
  }
}
