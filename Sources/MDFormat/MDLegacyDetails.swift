/// What a 0.90 superblock says beyond the fields that it shares with 1.x; for showing only.
package struct MDLegacyDetails: Equatable, Sendable {
  /// The minor version: 90, or 91 while a reshape runs.
  package var minorVersion: UInt32
  /// The patch level of the format, which changes nothing.
  package var patchVersion: UInt32
  /// The N of the /dev/mdN on which the array was last.
  package var preferredMinor: UInt32
  /// `nr_disks`: entries of the table in use, failed ones among them.
  package var deviceCount: UInt32
  /// `active_disks`: in a slot and in sync.
  package var activeCount: UInt32
  /// `working_disks`: active ones and spares.
  package var workingCount: UInt32
  /// `failed_disks`.
  package var failedCount: UInt32
  /// `spare_disks`.
  package var spareCount: UInt32
  /// The whole state word: bit 0 clean, bit 8 an internal bitmap.
  package var state: UInt32
  /// Events at the last checkpoint of a resync.
  package var checkpointEvents: UInt64
  /// As it is on disk; it was right, or there would be no superblock.
  package var checksum: UInt32
  /// The table of all devices.
  package var devices: [Device]
  /// This member's own entry, a copy of one in the table.
  package var thisDevice: Device

  /// One of the 27 entries of the table, or "this disk".
  package struct Device: Equatable, Sendable {
    /// Its place in the table.
    package var number: UInt32
    /// Device numbers of the block device, as they were when it was written.
    package var major: UInt32
    /// See `major`.
    package var minor: UInt32
    /// `raid_disk`: the slot, or for a spare a number behind all slots.
    package var slot: UInt32
    /// What it was to the array.
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

    /// It failed.
    package static let faulty = State(rawValue: 1 << 0)
    /// It has a slot.
    package static let active = State(rawValue: 1 << 1)
    /// Its data is whole.
    package static let inSync = State(rawValue: 1 << 2)
    /// It was taken out of the array; the entry is left.
    package static let removed = State(rawValue: 1 << 3)
    /// It is read only when no other copy is there.
    package static let writeMostly = State(rawValue: 1 << 9)
    /// Its errors are not tried again.
    package static let failFast = State(rawValue: 1 << 10)
  }
}
