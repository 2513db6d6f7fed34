import BlockStorage
import FToolTestSupport
import LinuxSystem
import SystemPackage

/// Cuts the power of several devices in memory at one operation of them all: from then on nothing more
/// arrives, and what was not flushed is gone.
final class PowerSwitch: Sendable {
  private struct State {
    var left: Int
    var isArmed: Bool
    var isOff = false
  }

  /// What is counted.
  enum Operation {
    case write
    case flush
  }

  private let state: Monitor<State>
  private let counts: Operation

  /// - Parameters:
  ///   - number: so many are made before the power goes off.
  ///   - isArmed: it counts from the beginning, and not only after `arm`.
  init(after number: Int, of counts: Operation, isArmed: Bool = true) {
    state = Monitor(State(left: number, isArmed: isArmed))
    self.counts = counts
  }

  /// Whether it has gone off.
  var isOff: Bool { state.withLock { $0.isOff } }

  /// Begins to count.
  func arm() { state.withLock { $0.isArmed = true } }

  /// The device as its user sees it.
  func wrap(_ device: any BlockDevice) -> any BlockDevice { SwitchedDevice(device, self) }

  fileprivate func pass(_ operation: Operation) throws(DeviceError) {
    let isOff = state.withLock { state in
      if operation == counts, state.isArmed {
        if state.left == 0 { state.isOff = true }
        state.left -= 1
      }
      return state.isOff
    }
    if isOff { throw .gone(.noSuchAddressOrDevice) }
  }
}

private final class SwitchedDevice: BlockDevice {
  private let device: any BlockDevice
  private let power: PowerSwitch

  init(_ device: any BlockDevice, _ power: PowerSwitch) {
    self.device = device
    self.power = power
  }

  var name: String { device.name }
  var byteCount: Int { device.byteCount }

  func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try device.read(into: &buffer, range: range, at: offset)
  }

  func write(_ buffer: RawSpan, range: Range<Int>, at offset: Int) throws(DeviceError) {
    try power.pass(.write)
    try device.write(buffer, range: range, at: offset)
  }

  func zero(_ range: Range<Int>) throws(DeviceError) {
    try power.pass(.write)
    try device.zero(range)
  }

  func flush() throws(DeviceError) {
    try power.pass(.flush)
    try device.flush()
  }
}
