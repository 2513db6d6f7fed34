import BinaryCodec

/// Why a block is not a superblock that may be used.
package enum MDSuperblockError: Error, Equatable, Sendable {
  /// No md superblock of this version is here: the magic is missing, or the member is too small.
  case absent
  /// Fewer bytes than a superblock's place has.
  case truncated(byteCount: Int)
  /// A 0.90 superblock of a machine with the other order of bytes. Nothing here reads those.
  case bigEndian
  /// Of a version that does not exist, or not at this place.
  case unsupportedVersion(major: UInt32, minor: UInt32)
  /// Torn, or rotten.
  case damaged(stored: UInt32, computed: UInt32)
  /// A superblock that says it belongs to another sector: a copy, or of a disk that changed size.
  case wrongPlace(statedSector: UInt64, foundSector: Int)
  /// Made with something that is not known here; the bits.
  case unsupportedFeatures(UInt32)
  case unsupportedLevel(Int32)
  /// All is well but the member's length: the data that the superblock tells of ends behind the member's end.
  case cutShort(arrayID: Identifier, sectors: Int, neededSectors: Int)
  /// The checksum is right and the field makes no sense.
  case invalid(field: Field)

  /// The fields of a superblock that can be invalid, under names a person can look up.
  package enum Field: String, Sendable {
    case reservedWord = "pad0"
    case reservedBytes = "pad3"
    case features = "feature_map"
    case layout = "layout"
    case sizeSectors = "size"
    case chunkSectors = "chunksize"
    case slotCount = "raid_disks"
    case bitmapOffset = "bitmap_offset"
    case partialParityLog = "ppl"
    case newLevel = "new_level"
    case newLayout = "new_layout"
    case newChunkSectors = "new_chunk"
    case newOffset = "new_offset"
    case deltaSlots = "delta_disks"
    case dataOffset = "data_offset"
    case dataSize = "data_size"
    case deviceNumber = "dev_number"
    case badBlockLog = "bblog"
    case maxDevices = "max_dev"
    case logicalBlockSize = "logical_block_size"
    case role = "dev_roles"
  }
}
