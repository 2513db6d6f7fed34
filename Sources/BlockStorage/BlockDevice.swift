import LinuxSystem

/// A stretch of a device: bytes of its own, or a hole that reads as zeros.
package struct Extent: Equatable, Sendable {
  /// Whether nothing is stored there, so that it reads as zeros. False says nothing.
  package var isHole: Bool
  /// Device offsets, in bytes.
  package var range: Range<Int>

  /// - Parameter range: device offsets, in bytes.
  package init(isHole: Bool, range: Range<Int>) {
    self.isHole = isHole
    self.range = range
  }
}

/// Numbered bytes that may fail: a file, a disk, a part of one, an array of them.
///
/// All calls may be made by several threads at once; bytes that two calls touch at the same time, one of
/// them writing, are either's. A request past the end is `truncated`, and has done nothing. A range
/// outside its buffer, or a negative offset, is the caller's bug and ends the program.
package protocol BlockDevice: AnyObject, Sendable {
  /// The path as the user wrote it.
  var name: String { get }
  /// How many bytes there are; does not change while the device is open.
  var byteCount: Int { get }
  /// The unit in which the device works: other requests are allowed, but slower.
  var sectorByteCount: Int { get }

  /// Fills a range of the buffer with the bytes from `offset` on: all of it, or an error. After an error
  /// the range holds anything.
  func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int) throws(DeviceError)
  /// Fills these ranges, one after the other, with consecutive bytes of the device.
  func read(
    into buffer: inout MutableRawSpan, pieces: [Range<Int>], at offset: Int) throws(DeviceError)
  /// Writes a range of the buffer at `offset`. It stays where it is after a power cut only once a flush
  /// that began later has succeeded; until then each sector may be old or new.
  func write(_ buffer: RawSpan, range: Range<Int>, at offset: Int) throws(DeviceError)
  /// Writes these ranges, one after the other, to consecutive bytes of the device.
  func write(_ buffer: RawSpan, pieces: [Range<Int>], at offset: Int) throws(DeviceError)
  /// Returns when all that was written before is on stable storage.
  func flush() throws(DeviceError)
  /// Makes the range read as zeros and gives its space back where that is possible; where it is not,
  /// writes zeros. As lasting as a write.
  func zero(_ range: Range<Int>) throws(DeviceError)
  /// What lies at `offset`, up to `limit` at most: never empty, as long as `offset < limit`. A device
  /// that cannot tell says data.
  func extent(at offset: Int, limit: Int) -> Extent
  /// Whether the whole range is known to be a hole: cheaper than to ask where what lies there ends.
  func isHole(_ range: Range<Int>) -> Bool
}

extension BlockDevice {
  /// What most disks have; who has other sectors says so.
  package var sectorByteCount: Int { 512 }

  /// One piece after the other: after an error, those before the one that failed have been read.
  package func read(
    into buffer: inout MutableRawSpan, pieces: [Range<Int>], at offset: Int
  ) throws(DeviceError) {
    try requireInside(offset, byteCount(of: pieces))
    var offset = offset
    for piece in pieces {
      try read(into: &buffer, range: piece, at: offset)
      offset += piece.count
    }
  }

  /// One piece after the other: after an error, those before the one that failed have been written.
  package func write(
    _ buffer: RawSpan, pieces: [Range<Int>], at offset: Int
  ) throws(DeviceError) {
    try requireInside(offset, byteCount(of: pieces))
    var offset = offset
    for piece in pieces {
      try write(buffer, range: piece, at: offset)
      offset += piece.count
    }
  }

  /// Writes zeros, for a device that cannot give space back.
  package func zero(_ range: Range<Int>) throws(DeviceError) { try writeZeros(range) }

  /// Data everywhere, for a device that cannot tell.
  package func extent(at offset: Int, limit: Int) -> Extent {
    Extent(isHole: false, range: offset..<max(offset, limit))
  }

  /// Asks where what lies at the range's start ends.
  package func isHole(_ range: Range<Int>) -> Bool {
    let extent = extent(at: range.lowerBound, limit: range.upperBound)
    return extent.isHole && extent.range.upperBound >= range.upperBound
  }

  /// Throws `truncated` unless these bytes are the device's. A negative offset is a bug.
  package func requireInside(_ offset: Int, _ count: Int) throws(DeviceError) {
    precondition(offset >= 0 && count >= 0, "a negative offset on a device")
    if count > byteCount - offset { throw .truncated(offset: max(offset, byteCount)) }
  }

  /// Writes zeros over the range.
  package func writeZeros(_ range: Range<Int>) throws(DeviceError) {
    try requireInside(range.lowerBound, range.count)
    try writeZeros(range, from: Zeros.shared.buffer)
  }

  // A function of its own, because a span of a class's member cannot be lent any further.
  private func writeZeros(
    _ range: Range<Int>, from zeros: borrowing AlignedBuffer
  ) throws(DeviceError) {
    var offset = range.lowerBound
    while offset < range.upperBound {
      let count = min(zeros.byteCount, range.upperBound - offset)
      try write(zeros.bytes, range: 0..<count, at: offset)
      offset += count
    }
  }

  /// The bytes that these pieces are together.
  func byteCount(of pieces: [Range<Int>]) -> Int { pieces.reduce(0) { $0 + $1.count } }
}

/// Zeros to write where nothing better is known.
private final class Zeros: Sendable {
  static let shared = Zeros()
  let buffer = AlignedBuffer(byteCount: 256 << 10)
}
