import BinaryCodec

/// What one member knows of itself and of its array: md's superblock, of version 1.x or 0.90.
///
/// One type for both: 0.90 is read only, and its numbers are turned into those of 1.x (sectors
/// instead of KiB, a role table instead of a device table). Sectors have 512 bytes everywhere. For
/// the bytes see `MDSuperblock+Encoding.swift`; for what a field means while the array runs, Linux's
/// drivers/md/md.c, `super_1_validate` and `super_1_sync`.
package struct MDSuperblock: Equatable, Sendable {
  /// Where it was found or is to go.
  package var version: MDMetadataVersion
  /// What must be known to use the member; an unknown bit is an error when decoding.
  package var features: MDFeatures

  // The array: the same on all its members.

  /// `set_uuid`: what members of one array have in common.
  package var arrayID: Identifier
  /// The name as it is on disk: 32 bytes, zeros behind it. `name` is the text.
  package var nameBytes: [UInt8]
  /// Low 40 bits: seconds since 1970; high 24: microseconds. mdadm compares all 64 between members.
  package var creationTime: UInt64
  /// One of `MDLevel`.
  package var level: Int32
  /// Of raid4/5/6: the algorithm; of raid10: near, far and offset; of raid0: 1 or 2, valid with the
  /// feature `raid0Layout`; of erasure-coded: the number of parity members in bits 0...7.
  package var layout: UInt32
  /// Sectors used of every member, for levels from raid1 up; 0 for linear and raid0.
  package var sizeSectors: UInt64
  /// 0 for raid1, and for linear without rounding.
  package var chunkSectors: UInt32
  /// `raid_disks`: slots, full or empty. During a reshape the new number.
  package var slotCount: Int
  /// From the superblock's start, signed; valid with the feature `bitmap`. With a partial parity log
  /// the same four bytes are `partialParityOffsetSectors` and `partialParitySectors`.
  package var bitmapOffsetSectors: Int32
  /// Where to and how far, while the array changes its shape.
  package var reshape: MDReshape

  // This member.

  /// Where the member's data begins.
  package var dataOffsetSectors: UInt64
  /// Sectors usable for data on this member.
  package var dataSizeSectors: UInt64
  /// Where the superblock itself is.
  package var superOffsetSectors: UInt64
  /// With the feature `recoveryOffset`: member sectors below hold valid data. On a journal member:
  /// the journal's tail (`journalTailSectors`).
  package var recoveryOffsetSectors: UInt64
  /// Index into `roles`; not the slot.
  package var deviceNumber: UInt32
  /// How often the kernel wrote back what this member could not read.
  package var correctedReadErrors: UInt32
  /// `device_uuid`: this member's own.
  package var deviceID: Identifier
  /// How the member is to be used: write-mostly, fail-fast.
  package var deviceFlags: MDDeviceFlags
  /// Where the list of its bad sectors is; valid with the feature `badBlocks`.
  package var badBlockLog: BadBlockLogPlace

  // What changes while the array runs.

  /// Low 40 bits: seconds since 1970. The high 24 are microseconds in principle and zero from every
  /// kernel, which clears them at each update: see `marker`.
  package var updateTime: UInt64
  /// Counts updates; the newest superblock of an array has the most. It can also go down by one.
  package var events: UInt64
  /// All ones: clean. Otherwise the resync is done up to here: member sectors, of raid10 array
  /// sectors.
  package var resyncOffsetSectors: UInt64
  /// Of Linux 6.19 and later, 512 or 4096; 0 means unset. Older kernels refuse anything but 0.
  package var logicalBlockSize: UInt32
  /// What the members are, by device number: slot numbers or the constants below.
  package var roles: [UInt16]

  /// What only 0.90 says; nil for 1.x.
  package var legacy: MDLegacyDetails?

  /// A role: in no slot, and ready for one.
  package static let spare: UInt16 = 0xffff
  /// A role: failed, or no such device.
  package static let faulty: UInt16 = 0xfffe
  /// A role: it holds the journal and no data.
  package static let journal: UInt16 = 0xfffd

  /// `resyncOffsetSectors` of a clean array, and a reshape position that says "none".
  package static let allOnes = UInt64.max

  /// The most devices that a role table can have: (4096 - 256) / 2.
  package static let deviceLimit = 1920

  /// The length of mdadm's role tables; superblock and table are 512 bytes then.
  package static let usualMaxDevices = 128

  /// Where a member's list of unreadable sectors is.
  package struct BadBlockLogPlace: Equatable, Sendable {
    /// Entries count in units of 2^this sectors; normally 0.
    package var shift: UInt8
    /// 8, or 0 when there is none.
    package var sizeSectors: UInt16
    /// From the superblock's start, signed.
    package var offsetSectors: Int32

    package init(shift: UInt8 = 0, sizeSectors: UInt16 = 0, offsetSectors: Int32 = 0) {
      self.shift = shift
      self.sizeSectors = sizeSectors
      self.offsetSectors = offsetSectors
    }
  }

  /// A fresh superblock of a clean array without anything special; the rest is set field by field.
  package init(
    version: MDMetadataVersion, arrayID: Identifier, level: Int32, layout: UInt32 = 0,
    chunkSectors: UInt32 = 0, slotCount: Int, maxDevices: Int = Self.usualMaxDevices
  ) {
    self.version = version
    features = []
    self.arrayID = arrayID
    nameBytes = [UInt8](repeating: 0, count: 32)
    creationTime = 0
    self.level = level
    self.layout = layout
    sizeSectors = 0
    self.chunkSectors = chunkSectors
    self.slotCount = slotCount
    bitmapOffsetSectors = 0
    reshape = MDReshape()
    dataOffsetSectors = 0
    dataSizeSectors = 0
    superOffsetSectors = 0
    recoveryOffsetSectors = 0
    deviceNumber = 0
    correctedReadErrors = 0
    deviceID = .zero
    deviceFlags = []
    badBlockLog = BadBlockLogPlace()
    updateTime = 0
    events = 0
    resyncOffsetSectors = Self.allOnes
    logicalBlockSize = 0
    roles = [UInt16](repeating: Self.spare, count: maxDevices)
    legacy = nil
  }
}
