import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry

/// What is left of an md superblock, in its place or anywhere else: a copy in an old place, one whose
/// checksum is wrong, one of a disk that the device is only a part of or that is a part of the device.
struct SuperblockTrace: Sendable {
  /// The device on which it was found, among those that were given.
  let member: Int
  /// Where it was found.
  let offset: Int
  let version: MDMetadataVersion
  /// Whether its checksum is right.
  let isIntact: Bool
  /// Whether it is where it says it is.
  let isInPlace: Bool
  let arrayID: Identifier
  let name: String
  let level: RaidLevel
  let layout: UInt32
  let chunkByteCount: Int
  let slotCount: Int
  /// Data bytes of this member that the array uses.
  let memberByteCount: Int
  /// Where this member's data starts on the device.
  let dataOffset: Int
  /// nil for one that says it has none: a spare, a journal, a failed member.
  let slot: Int?
  let events: UInt64
  let isReshaping: Bool

  private static let magic: UInt32 = 0xa92b_4efc

  /// All traces on these devices, in their order.
  static func find(_ images: MemberImages) throws(RaidError) -> [SuperblockTrace] {
    var found: [SuperblockTrace] = []
    for member in images.present {
      let end = images.byteCount(of: member)
      let reach = 8 << 20
      var ranges = [0..<min(reach, end)]
      if end > reach { ranges.append(max(reach, (end - reach) / 4096 * 4096)..<end) }
      for range in ranges {
        for start in stride(from: range.lowerBound, to: range.upperBound, by: 1 << 20) {
          try images.checkStop()
          let part = start..<min(start + (1 << 20), range.upperBound)
          guard let bytes = images.bytes(member, part) else { continue }
          for place in stride(from: 0, to: bytes.count - 4095, by: 4096)
          where bytes.rawBytes.integer(at: place) == magic {
            let block = Array(bytes[place..<place + 4096])
            if let trace = SuperblockTrace(block, member, at: start + place, deviceByteCount: end) {
              found.append(trace)
            }
          }
        }
      }
    }
    return found
  }

  private init?(_ block: [UInt8], _ member: Int, at offset: Int, deviceByteCount: Int) {
    self.member = member
    self.offset = offset
    let bytes = block.rawBytes
    func word(_ at: Int) -> UInt32 { bytes.integer(at: at) }
    func long(_ at: Int) -> Int? {
      let value: UInt64 = bytes.integer(at: at)
      return value < 1 << 50 ? Int(value) : nil
    }
    var roles: [UInt16] = []
    var device = 0
    var sectors: (size: Int, data: Int, start: Int, place: Int)
    if word(4) == 1 {
      guard let size = long(80), let start = long(128), let data = long(136),
        let place = long(144), word(220) <= 1920
      else { return nil }
      sectors = (size, data, start, place)
      let count = 256 + 2 * Int(word(220))
      isIntact = Self.checksum(bytes.sub(0..<count)) == word(216)
      version =
        place == 0 ? .v1_1 : place == 8 ? .v1_2 : .v1_0
      arrayID = Identifier(bytes: bytes, at: 16)
      name = String(decoding: block[32..<64].prefix { $0 != 0 }, as: UTF8.self)
      device = Int(word(160))
      roles = (0..<Int(word(220))).map { bytes.integer(at: 256 + 2 * $0) }
      slotCount = Int(word(92))
      chunkByteCount = Int(word(88)) * 512
      layout = word(76)
      events = bytes.integer(at: 200)
      isReshaping = word(8) & 4 != 0
      slot =
        roles.indices.contains(device) && Int(roles[device]) < slotCount ? Int(roles[device]) : nil
      guard let level = RaidLevel(number: Int32(bitPattern: word(72)), layout: layout) else {
        return nil
      }
      self.level = level
    } else if word(4) == 0, word(8) == 90 || word(8) == 91 {
      version = .v0_90
      let size = Int(word(32)) * 2
      sectors = (size, size, 0, offset / 512)
      isIntact = Self.legacyChecksum(bytes) == word(152)
      arrayID = .zero
      name = ""
      slotCount = Int(word(40))
      chunkByteCount = Int(word(260))
      layout = word(256)
      events = UInt64(word(160)) << 32 | UInt64(word(156))
      isReshaping = word(8) == 91
      let own = Int(word(992 * 4 + 12))
      slot = own < slotCount ? own : nil
      guard let level = RaidLevel(number: Int32(bitPattern: word(28)), layout: layout) else {
        return nil
      }
      self.level = level
    } else {
      return nil
    }
    guard (1...255).contains(slotCount) else { return nil }
    // A device that is part of a disk, or holds one, has everything moved by the same distance.
    let shift = offset - sectors.place * 512
    dataOffset = shift + sectors.start * 512
    isInPlace = shift == 0
    guard dataOffset >= 0, dataOffset < deviceByteCount else { return nil }
    let used = level.usesWholeMembers ? sectors.data : sectors.size
    memberByteCount = used * 512
    guard memberByteCount > 0 else { return nil }
  }

  private static func checksum(_ covered: RawSpan) -> UInt32 {
    var sum: UInt64 = 0
    for offset in stride(from: 0, to: covered.byteCount - 3, by: 4) where offset != 216 {
      sum += UInt64(covered.integer(at: offset, as: UInt32.self))
    }
    if covered.byteCount % 4 == 2 {
      sum += UInt64(covered.integer(at: covered.byteCount - 2, as: UInt16.self))
    }
    return UInt32(truncatingIfNeeded: sum) &+ UInt32(sum >> 32)
  }

  private static func legacyChecksum(_ block: RawSpan) -> UInt32 {
    var sum: UInt64 = 0
    for offset in stride(from: 0, to: 4096, by: 4) where offset != 152 {
      sum += UInt64(block.integer(at: offset, as: UInt32.self))
    }
    return UInt32(truncatingIfNeeded: sum) &+ UInt32(sum >> 32)
  }
}
