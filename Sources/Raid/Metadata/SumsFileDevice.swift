import BlockStorage
import LinuxSystem
import Synchronization
import SystemPackage

/// The device of a sums file, as the sums that lie there use it: what goes wrong with it is no matter of
/// the members, whose data is as good as before.
///
/// Sums that can't be read are unknown, as damaged ones are. After a write that failed the device may hold
/// sums of what was there before, so that it is given up: from then on nothing can be read from it, and
/// what is written to it is dropped. Sums that are in memory stay right.
final class SumsFileDevice: BlockDevice {
  private struct State {
    var unreadable: DeviceError?
    var end: DeviceError?
  }

  private let device: any BlockDevice
  private let state = Mutex(State())

  init(_ device: any BlockDevice) { self.device = device }

  /// Why sums could not be read; nil when all could.
  var readProblem: DeviceError? { state.withLock { $0.unreadable } }
  /// Why it was given up; nil while it is not.
  var endProblem: DeviceError? { state.withLock { $0.end } }

  /// Believes nothing of it any more.
  func giveUp(_ cause: DeviceError) {
    state.withLock { if $0.end == nil { $0.end = cause } }
  }

  var name: String { device.name }
  var byteCount: Int { device.byteCount }
  var sectorByteCount: Int { device.sectorByteCount }

  func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    if endProblem == nil {
      do throws(DeviceError) {
        return try device.read(into: &buffer, range: range, at: offset)
      } catch {
        state.withLock { if $0.unreadable == nil { $0.unreadable = error } }
        if error.endsUse { giveUp(error) }
      }
    }
    throw .unreadable(offset: offset, errno: .ioError)
  }

  func write(_ buffer: RawSpan, range: Range<Int>, at offset: Int) throws(DeviceError) {
    attempt { () throws(DeviceError) in try device.write(buffer, range: range, at: offset) }
  }

  func zero(_ range: Range<Int>) throws(DeviceError) {
    attempt { () throws(DeviceError) in try device.zero(range) }
  }

  func flush() throws(DeviceError) {
    attempt { () throws(DeviceError) in try device.flush() }
  }

  /// A device that was given up says data, since the holes in it may be old.
  func extent(at offset: Int, limit: Int) -> Extent {
    guard endProblem == nil else { return Extent(isHole: false, range: offset..<limit) }
    return device.extent(at: offset, limit: limit)
  }

  private func attempt(_ body: () throws(DeviceError) -> Void) {
    guard endProblem == nil else { return }
    do throws(DeviceError) { try body() } catch { giveUp(error) }
  }
}
