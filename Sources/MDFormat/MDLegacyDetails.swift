/// What a 0.90 superblock says beyond the fields that it shares with 1.x; for showing only.
package struct MDLegacyDetails: Equatable, Sendable {
  /// The minor version: 90, or 91 while a reshape runs.
  package var minorVersion: UInt32
  package var patchVersion: UInt32
  /// The N of the /dev/mdN on which the array was last.
  package var preferredMinor: UInt32
  package var deviceCount: UInt32
  package var activeCount: UInt32
  package var workingCount: UInt32
  package var failedCount: UInt32
  package var spareCount: UInt32
  /// The whole state word: bit 0 clean, bit 8 an internal bitmap.
  package var state: UInt32
  /// Events at the last checkpoint of a resync.
  package var checkpointEvents: UInt64
  package var checksum: UInt32
  /// The table of all devices.
  package var devices: [Device]
  /// This member's own entry, a copy of one in the table.
  package var thisDevice: Device

  /// One of the 27 entries of the table, or "this disk".
  package struct Device: Equatable, Sendable {
    package var number: UInt32
    /// Device numbers of the block device, as they were when it was written.
    package var major: UInt32
    package var minor: UInt32
    package var slot: UInt32
    package var state: State

    package init(number: UInt32, major: UInt32, minor: UInt32, slot: UInt32, state: State) {
      self.number = number
      self.major = major
      self.minor = minor
      self.slot = slot
      self.state = state
    }

    /// Nothing was ever here.
    package var isEmpty: Bool {
      number == 0 && major == 0 && minor == 0 && slot == 0 && state.rawValue == 0
    }
  }

  /// Bits of a device's state (Linux: `MD_DISK_*`).
  package struct State: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let faulty = State(rawValue: 1 << 0)
    package static let active = State(rawValue: 1 << 1)
    package static let inSync = State(rawValue: 1 << 2)
    package static let removed = State(rawValue: 1 << 3)
    package static let writeMostly = State(rawValue: 1 << 9)
    package static let failFast = State(rawValue: 1 << 10)
  }
}
