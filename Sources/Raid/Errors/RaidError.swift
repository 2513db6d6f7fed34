import BlockStorage
import MDFormat
import RaidGeometry

/// Why an array could not do what was asked; a case for everything that a caller can do about it.
package enum RaidError: Error, Equatable, Sendable {
  /// More members are lost than the level can do without. Offsets are array bytes.
  case lost(arrayRange: Range<Int>, LossReason)
  /// The array can't be started from these members.
  case notStartable(StartObstacle)
  /// The array was opened for reading only, or what is on the members may only be read.
  case readOnly(WriteObstacle)
  /// A member failed and could not be done without.
  case member(name: String, DeviceError)
  /// The file that keeps the array's sums can't be read or written. It costs no member and no data.
  case sumsFile(name: String, DeviceError)
  /// The request reaches past the array's end.
  case outOfBounds(offset: Int, byteCount: Int, arrayByteCount: Int)
  /// A stream whose length nobody knew had more bytes than the array has room for.
  case inputTooLong(arrayByteCount: Int)
  /// There is nothing of this name, slot or state to do it to.
  case noSuchMember(String)
  /// The new member is too small: bytes it has, bytes it needs.
  case memberTooSmall(name: String, has: Int, needs: Int)
  /// What was asked makes no sense for this array.
  case unsuitable(Unsuitable)
  /// A signal asked to stop; the position is kept on the members.
  case interrupted
}
