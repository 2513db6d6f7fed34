import BinaryCodec
import LinuxSystem

/// The first bytes of an image.
///
/// | offset | size | content                                    |
/// | -----: | ---: | ------------------------------------------ |
/// |      0 |    8 | `ftoolCKP`                                 |
/// |      8 |    4 | version, 1                                 |
/// |     12 |    4 | CRC-32C of bytes 16 to 63                  |
/// |     16 |   16 | the image's UUID                           |
/// |     32 |    8 | when it was made, seconds since 1970       |
/// |     40 |    4 | and microseconds                           |
/// |     44 |    4 | architecture, as ELF's `e_machine`         |
/// |     48 |    4 | features that a reader has to know         |
/// |     52 |    4 | features that a reader may ignore          |
/// |     56 |    4 | bytes of a page                            |
/// |     60 |    4 | zero                                       |
///
/// In any other version the checksum is one of the version and bytes 16 to 63: so a version that was damaged is
/// none that this program is too old for.
package struct ImageHeader: Equatable, Sendable {
  package var identifier: Identifier
  package var createdSeconds: UInt64
  package var createdMicroseconds: UInt32
  /// As ELF's `e_machine`; one of `Architecture` in what this program writes.
  package var machine: UInt32
  package var optionalFeatures: UInt32
  /// What runs of pages count in.
  package var pageByteCount: Int

  /// Of an image that is made now, here.
  package init() {
    var random = SystemRandomNumberGenerator()
    identifier = .random(using: &random)
    (createdSeconds, createdMicroseconds) = Machine.now()
    machine = Architecture.current.rawValue
    optionalFeatures = 0
    pageByteCount = Machine.pageSize
  }

  package static let byteCount = 64
  static let magic: UInt64 = 0x504b_436c_6f6f_7466  // "ftoolCKP"
  static let version: UInt32 = 1
  /// The required features that this program knows: none so far.
  static let knownFeatures: UInt32 = 0
  static let pageByteCounts: ClosedRange<UInt32> = 4096...65536

  private enum Offset {
    static let magic = 0, version = 8, checksum = 12, identifier = 16, seconds = 32
    static let microseconds = 40, machine = 44, required = 48, optional = 52, pageByteCount = 56
    static let reserved = 60
  }

  func encode(into block: inout MutableRawSpan) {
    precondition(block.byteCount == Self.byteCount)
    block.zero()
    block.store(Self.magic, at: Offset.magic)
    block.store(Self.version, at: Offset.version)
    identifier.store(in: &block, at: Offset.identifier)
    block.store(createdSeconds, at: Offset.seconds)
    block.store(createdMicroseconds, at: Offset.microseconds)
    block.store(machine, at: Offset.machine)
    block.store(optionalFeatures, at: Offset.optional)
    block.store(UInt32(pageByteCount), at: Offset.pageByteCount)
    block.store(crc32c(block.bytes.sub(Offset.identifier..<Self.byteCount)), at: Offset.checksum)
  }

  /// What it has to be in an image of this version.
  static func checksum(of block: RawSpan, _ version: UInt32) -> UInt32 {
    var checksum = CRC32C()
    if version != Self.version { checksum.update(block.sub(Offset.version..<Offset.checksum)) }
    checksum.update(block.sub(Offset.identifier..<Self.byteCount))
    return checksum.value
  }

  init(decoding block: RawSpan) throws(ImageError) {
    precondition(block.byteCount == Self.byteCount)
    guard block.integer(at: Offset.magic) == Self.magic else { throw .notAnImage }
    let version: UInt32 = block.integer(at: Offset.version)
    let checksum: UInt32 = block.integer(at: Offset.checksum)
    guard checksum == Self.checksum(of: block, version) else {
      throw .checksum(.header, offset: 0)
    }
    guard version == Self.version else { throw .newerVersion(version) }
    let unknown = block.integer(at: Offset.required, as: UInt32.self) & ~Self.knownFeatures
    guard unknown == 0 else { throw .unknownFeatures(unknown) }
    identifier = Identifier(bytes: block, at: Offset.identifier)
    createdSeconds = block.integer(at: Offset.seconds)
    createdMicroseconds = block.integer(at: Offset.microseconds)
    machine = block.integer(at: Offset.machine)
    optionalFeatures = block.integer(at: Offset.optional)
    let page: UInt32 = block.integer(at: Offset.pageByteCount)
    guard Self.pageByteCounts.contains(page), page & (page - 1) == 0 else {
      throw .malformed(.pageSize, offset: Offset.pageByteCount)
    }
    pageByteCount = Int(page)
    guard block.integer(at: Offset.reserved, as: UInt32.self) == 0 else {
      throw .malformed(.reserved, offset: Offset.reserved)
    }
  }
}
