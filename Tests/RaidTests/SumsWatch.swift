import BlockStorage
import FToolTestSupport
import Synchronization

@testable import Raid

/// Counts on how many members sums are on their way to stable storage at once: a power cut may tear the blocks of all of
/// these.
final class SumsWatch: Sendable {
  private struct State {
    var pending: Set<String> = []
    var worst = 0
  }

  private let state = Mutex(State())

  /// On how many there were at most.
  var worst: Int { state.withLock { $0.worst } }

  /// The device as its user sees it.
  func wrap(_ device: MemoryDevice) -> any BlockDevice {
    guard let header = try? MemberProbe(device).header, let region = header.range(of: .sums) else {
      return device
    }
    return WatchedDevice(device, region, self)
  }

  fileprivate func note(write name: String) {
    state.withLock { state in
      state.pending.insert(name)
      state.worst = max(state.worst, state.pending.count)
    }
  }

  fileprivate func note(flush name: String) { state.withLock { _ = $0.pending.remove(name) } }
}

private final class WatchedDevice: BlockDevice {
  private let device: MemoryDevice
  private let region: Range<Int>
  private let watch: SumsWatch

  init(_ device: MemoryDevice, _ region: Range<Int>, _ watch: SumsWatch) {
    self.device = device
    self.region = region
    self.watch = watch
  }

  var name: String { device.name }
  var byteCount: Int { device.byteCount }

  func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try device.read(into: &buffer, range: range, at: offset)
  }

  func write(_ buffer: RawSpan, range: Range<Int>, at offset: Int) throws(DeviceError) {
    if region.overlaps(offset..<offset + range.count) { watch.note(write: name) }
    try device.write(buffer, range: range, at: offset)
  }

  func flush() throws(DeviceError) {
    try device.flush()
    watch.note(flush: name)
  }
}
