import FToolTestSupport
import Raid

/// All that an array gives when it is read.
struct ArrayLook {
  /// Zeros where it gives nothing.
  private(set) var content: [UInt8]
  /// Array bytes that it refuses.
  private(set) var lost: [Range<Int>] = []

  /// - Throws: what is no refusal.
  init(_ array: RaidArray) throws(RaidError) {
    content = [UInt8](repeating: 0, count: array.byteCount)
    var offset = 0
    while offset < array.byteCount {
      do throws(RaidReadFailure<Never>) {
        try array.read(offset..<array.byteCount) { (bytes, place, part) throws(Never) in
          bytes.withUnsafeBytes { bytes in
            content.withUnsafeMutableBytes { content in
              UnsafeMutableRawBufferPointer(rebasing: content[part]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: bytes[place..<place + part.count]))
            }
          }
          offset = part.upperBound
        }
      } catch {
        guard case .array(let cause) = error else { return }
        guard case .lost(let range, _) = cause, range.upperBound > offset else { throw cause }
        lost.append(range)
        offset = range.upperBound
      }
    }
  }
}
