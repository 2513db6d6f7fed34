import CLinux
import Glibc
import SystemPackage

// Holes: where a file has no bytes of its own and reads as zeros.
extension OwnedDescriptor {
  /// Where data starts, at or after `offset`; nil when only a hole follows. What cannot tell holes from
  /// data says that data starts at `offset`.
  package func nextData(from offset: Int) -> Int? {
    let found = Int(clinux_next_data(descriptor, Int64(offset)))
    if found >= 0 { return found }
    return Glibc.errno == ENXIO ? nil : offset
  }

  /// Where a hole starts, at or after `offset`: at the end of the file at the latest. Nil at the end, and
  /// from what cannot tell.
  package func nextHole(from offset: Int) -> Int? {
    let found = Int(clinux_next_hole(descriptor, Int64(offset)))
    return found >= 0 ? found : nil
  }

  /// Gives the range's space back; it reads as zeros afterwards. Throws `notSupported` where the
  /// filesystem or device cannot; then nothing has changed.
  package func punchHole(_ range: Range<Int>) throws(SystemCallError) {
    if range.isEmpty { return }
    let descriptor = descriptor
    try systemCall("fallocate(PUNCH_HOLE)", on: name) {
      clinux_punch_hole(descriptor, Int64(range.lowerBound), Int64(range.count))
    }
  }

  /// Makes the range read as zeros without writing them, if possible keeping its space: first as the
  /// filesystem or device does it best, then by a hole. Throws `notSupported` where neither can.
  package func zeroRange(_ range: Range<Int>) throws(SystemCallError) {
    if range.isEmpty { return }
    let descriptor = descriptor
    let (start, count) = (Int64(range.lowerBound), Int64(range.count))
    do {
      if try kind == .block {
        try systemCall("ioctl(BLKZEROOUT)", on: name) {
          clinux_block_zero(descriptor, UInt64(start), UInt64(count))
        }
      } else {
        try systemCall("fallocate(ZERO_RANGE)", on: name) {
          clinux_zero_range(descriptor, start, count)
        }
      }
    } catch  where error.meansUnsupported {
      try punchHole(range)
    }
  }

  /// Makes room for the range, so that writing there cannot fail for lack of it.
  package func allocate(_ range: Range<Int>) throws(SystemCallError) {
    if range.isEmpty { return }
    let descriptor = descriptor
    try systemCall("fallocate", on: name) {
      clinux_allocate(descriptor, Int64(range.lowerBound), Int64(range.count))
    }
  }

  /// How the file is going to be read.
  package enum Advice: Sendable { case normal, sequential, random, willNeed, dontNeed }

  /// Tells the kernel what will be read, and how. A hint: whether it is taken changes no result.
  package func advise(_ advice: Advice, range: Range<Int>? = nil) {
    let number =
      switch advice {
      case .normal: POSIX_FADV_NORMAL
      case .sequential: POSIX_FADV_SEQUENTIAL
      case .random: POSIX_FADV_RANDOM
      case .willNeed: POSIX_FADV_WILLNEED
      case .dontNeed: POSIX_FADV_DONTNEED
      }
    posix_fadvise(descriptor, range?.lowerBound ?? 0, range?.count ?? 0, CInt(number))
  }
}

extension SystemCallError {
  /// Whether the call is one that this file or device does not know, so that another way may work.
  package var meansUnsupported: Bool {
    errno == .notSupported || errno == .noFunction || errno == .inappropriateIOCTLForDevice
  }
}
