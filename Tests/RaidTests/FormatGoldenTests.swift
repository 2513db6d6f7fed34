import BlockStorage
import FToolTestSupport
import LinuxSystem
import Raid
import Testing

/// Arrays that ftool made when the format was fixed. Whatever reads and writes it later has to understand
/// them, and they have to be what man/ftool-raid-format.5 says.
@Suite struct FormatGoldenTests {
  struct Golden: Sendable, CustomTestStringConvertible {
    let name: String
    let memberCount: Int
    let redundancy: Int
    /// SHA-256 of the content.
    let content: String
    var testDescription: String { name }

    func images() throws -> [[UInt8]] {
      let scratch = try ScratchDirectory()
      let archive = "\(GoldenArchive.folder)/own/\(name).tar.zst"
      let unpacked = try BuiltTool.run(
        program: "tar", ["--zstd", "-xf", archive, "-C", scratch.path])
      try #require(unpacked.status == 0, "\(unpacked.errorText)")
      return try (0..<memberCount).map {
        try Files.contents(of: scratch.path("\(name)/m\($0).img"), limit: 1 << 20)
      }
    }
  }

  static let raid5 = Golden(
    name: "raid5-3-bitmap", memberCount: 3, redundancy: 1,
    content: "ae9d89a335e747809852b3c425ec279b0e96ae9cd3f2ade1568c35852e9208a9")
  static let erasure = Golden(
    name: "ec-3+2", memberCount: 5, redundancy: 2,
    content: "8f8d3cc0f8d0e98f0f7b9fbf409b08454954e964d39fda72fc7a987df3c09425")
  static let mirror = Golden(
    name: "raid1-2-v1.0", memberCount: 2, redundancy: 1,
    content: "cb24be127872aedbaf13242a851ee506388740bad0a717ad587ca515ed0c2edd")
  static let all = [raid5, erasure, mirror]

  @Test(arguments: all) func `reads as it did, with any members that it can lose away`(
    _ golden: Golden
  ) throws {
    let images = try golden.images()
    var whole: [UInt8] = []
    for mask in 0..<1 << images.count where mask.nonzeroBitCount <= golden.redundancy {
      let devices = images.indices.filter { mask >> $0 & 1 == 0 }.map {
        MemoryDevice(images[$0], name: "m\($0)")
      }
      let array = try RaidArray.open(devices)
      #expect(!array.foundForeignWrite && !array.wasUnclean)
      let content = try array.bytes(0..<array.byteCount)
      if mask == 0 {
        #expect(SHA256.of(content) == golden.content)
        whole = content
      }
      let isSame = content == whole
      #expect(isSame, "without \(images.indices.filter { mask >> $0 & 1 == 1 })")
    }
  }

  @Test(arguments: all) func `is written as the page says`(_ golden: Golden) throws {
    let page = try FormatPage()
    #expect(page.isGapless("Header") && page.isGapless("Region") && page.isGapless("Sums"))
    #expect(page.isGapless("Roster") && page.isGapless("File of sums"))
    let members = try golden.images().enumerated().map { slot, image in
      try MemberByPage(image, page, slot: slot, isAtEnd: golden.name == Self.mirror.name)
    }
    for member in members {
      try member.checkHeader()
      try member.checkSums()
      try member.checkRoster(of: members)
      try member.checkIntent(isOurs: golden.name != Self.raid5.name)
    }
  }

  @Test func `two parities are computed and placed as the page says`() throws {
    let page = try FormatPage()
    let members = try Self.erasure.images().enumerated().map { slot, image in
      try MemberByPage(image, page, slot: slot, isAtEnd: false)
    }
    let n = members.count
    var content: [UInt8] = []
    for member in members {
      #expect(member.superblock(72, 4) == 0x6563)
      #expect(member.superblock(8, 4) & 0x4000_0000 != 0)
      #expect(member.superblock(76, 4) & 0xff == 2)
    }
    let chunk = Int(members[0].superblock(88, 4)) * 512
    for row in 0..<Int(members[0].superblock(80, 8)) * 512 / chunk {
      let first = n - 1 - row % n
      let chunks = (0..<n).map { place in
        members[(first + place) % n].data(row * chunk..<(row + 1) * chunk)
      }
      for parity in 0..<2 {
        var sum = [UInt8](repeating: 0, count: chunk)
        for (exponent, data) in chunks.dropFirst(2).enumerated() {
          SlowCode.add(data, times: SlowCode.coefficient(parity, exponent), to: &sum)
        }
        #expect(chunks[parity].elementsEqual(sum), "parity \(parity) of row \(row)")
      }
      content += chunks.dropFirst(2).joined()
    }
    #expect(SHA256.of(content) == Self.erasure.content)
  }
}

/// A member's image, read by the page's offsets; of the superblock by those of the kernel's md_p.h.
private struct MemberByPage {
  let image: [UInt8]
  let page: FormatPage
  let slot: Int
  /// Where the superblock lies.
  let start: Int
  /// Where the header's last copy lies.
  let header: Int

  init(_ image: [UInt8], _ page: FormatPage, slot: Int, isAtEnd: Bool) throws {
    self.image = image
    self.page = page
    self.slot = slot
    start = isAtEnd ? (image.count / 512 - 16) / 8 * 8 * 512 : 4096
    header = image.count / 4096 * 4096 - 4096
    #expect(superblock(0, 4) == 0xa92b_4efc)
  }

  func number(_ offset: Int, _ byteCount: Int) -> UInt64 {
    (0..<byteCount).reduce(0) { $0 | UInt64(image[offset + $1]) << UInt64(8 * $1) }
  }

  func superblock(_ offset: Int, _ byteCount: Int) -> UInt64 { number(start + offset, byteCount) }

  /// Bytes of the member's data.
  func data(_ range: Range<Int>) -> ArraySlice<UInt8> {
    let first = Int(superblock(128, 8)) * 512
    return image[first + range.lowerBound..<first + range.upperBound]
  }

  private func value(_ base: Int, _ section: String, _ text: String) throws -> UInt64 {
    let field = try page.field(section, text)
    return number(base + field.offset, try #require(field.byteCount))
  }

  private func bytes(_ base: Int, _ section: String, _ text: String) throws -> [UInt8] {
    let field = try page.field(section, text)
    return Array(image[base + field.offset..<base + field.offset + (field.byteCount ?? 0)])
  }

  private var arrayID: [UInt8] { Array(image[start + 16..<start + 32]) }
  private var deviceID: [UInt8] { Array(image[start + 168..<start + 184]) }

  func checkHeader() throws {
    let marker = superblock(192, 8) >> 40
    #expect(marker != 0)
    for base in [start + 2048, header] {
      #expect(try bytes(base, "Header", "Ql ftoolRGN") == Array("ftoolRGN".utf8))
      #expect(try value(base, "Header", "version, 1") == 1)
      let sum = ~SlowCode.register(image[base + 16..<base + 2048])
      #expect(try value(base, "Header", "CRC-32C of bytes 16 to 2047") == UInt64(sum))
      #expect(try bytes(base, "Header", "UUID of the array") == arrayID)
      #expect(try bytes(base, "Header", "UUID of the member") == deviceID)
      #expect(try value(base, "Header", "slot") == UInt64(slot))
      #expect(try value(base, "Header", "flags") == 0)
      let size = try value(base, "Header", "size of the member when")
      #expect(size == UInt64(image.count))
      #expect(try value(base, "Header", "operation: 0 none, 1 scrub") == 1)
      #expect(try value(base, "Header", "its state") == 3)
      #expect(
        try value(base, "Header", "bytes done") == value(base, "Header", "bytes to do"))
      let markers = try [
        value(base, "Header", "marker that the superblock has"),
        value(base, "Header", "marker that the superblock is about"),
      ]
      if base == header { #expect(markers.contains(marker)) }
      let counted = try value(base, "Header", "number of regions")
      #expect(counted == UInt64(try regions(base).count))
    }
  }

  private func regions(_ base: Int) throws -> [UInt64: Range<Int>] {
    let first = try page.field("Header", "regions")
    var regions: [UInt64: Range<Int>] = [:]
    for index in 0..<Int(try value(base, "Header", "number of regions")) {
      let at = base + first.offset + index * (try #require(first.byteCount))
      let lower = Int(try value(at, "Region", "where it starts"))
      let count = Int(try value(at, "Region", "its length"))
      #expect(lower % 4096 == 0 && count % 4096 == 0 && count > 0)
      regions[try value(at, "Region", "kind")] = lower..<lower + count
    }
    return regions
  }

  func checkSums() throws {
    let region = try #require(try regions(header)[1])
    let byteCount = Int(superblock(136, 8)) * 512
    #expect(region.lowerBound >= Int(superblock(128, 8)) * 512 + byteCount)
    let little = (0..<4).map { UInt8(truncatingIfNeeded: slot >> (8 * $0)) }
    let prefix = SlowCode.register(arrayID + little)
    let perBlock = 1016
    for base in stride(from: region.lowerBound, to: region.upperBound, by: 4096) {
      let first = (base - region.lowerBound) / 4096 * perBlock
      let isBlank = image[base..<base + 4096].allSatisfy { $0 == 0 }
      if !isBlank {
        #expect(try bytes(base, "Sums", "Ql SUMS") == Array("SUMS".utf8))
        let sum = ~SlowCode.register(image[base + 8..<base + 4096], from: prefix)
        #expect(try value(base, "Sums", "CRC-32C of (UUID of the array") == UInt64(sum))
        #expect(try value(base, "Sums", "number of the first data block") == UInt64(first))
      }
      let sums = try page.field("Sums", "1016 sums")
      for block in first..<min(first + perBlock, byteCount / 4096) {
        let expected = SlowCode.blockSum(
          data(block * 4096..<(block + 1) * 4096), number: block, prefix: prefix)
        let stored = number(base + sums.offset + (block - first) * (sums.byteCount ?? 0), 4)
        #expect(stored == UInt64(expected), "block \(block) of slot \(slot)")
      }
    }
  }

  func checkRoster(of members: [MemberByPage]) throws {
    let base = try #require(try regions(header)[5]).lowerBound
    #expect(try bytes(base, "Roster", "Ql ROST") == Array("ROST".utf8))
    let sum = ~SlowCode.register(image[base + 8..<base + 8192])
    #expect(try value(base, "Roster", "CRC-32C of bytes 8 to 8191") == UInt64(sum))
    #expect(try bytes(base, "Roster", "UUID of the array") == arrayID)
    #expect(try value(base, "Roster", "number of slots") == UInt64(members.count))
    let first = try page.field("Roster", "for each slot")
    for member in members {
      let at = base + first.offset + member.slot * (try #require(first.byteCount))
      #expect(Array(image[at..<at + 16]) == member.deviceID)
    }
  }

  func checkIntent(isOurs: Bool) throws {
    let offset = Int(Int32(truncatingIfNeeded: superblock(96, 4)))
    let base =
      isOurs ? try #require(try regions(header)[2]).lowerBound : start + offset * 512
    #expect(number(base, 4) == 0x6d74_6962 && number(base + 4, 4) == 4)
    // Clean and closed: nothing is marked.
    #expect(image[base + 256..<base + 4096].allSatisfy { $0 == 0 || !isOurs })
  }
}
