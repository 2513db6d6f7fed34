import BlockStorage
import MDFormat

/// Where the data of the members may start: what mdadm and ftool choose at that size, what older mdadm
/// chose, and where content says that it begins.
struct DataOffsets {
  struct Choice {
    let offset: Int
    /// Logarithm of how usual it is.
    let weight: Double
    let text: String
  }

  private(set) var choices: [Choice] = []

  init(
    _ images: MemberImages, _ request: RecoveryRequest, _ anchors: ContentAnchors,
    _ book: SketchBook
  ) {
    if let offset = request.dataOffset {
      choices = [Choice(offset: offset, weight: 0, text: "the data offset was given")]
      return
    }
    let size = images.smallestByteCount
    var offsets: [Int: Choice] = [:]
    func add(_ offset: Int, _ weight: Double, _ text: String) {
      guard offset >= 0, offset % 512 == 0, offset < size - 8192 else { return }
      if let known = offsets[offset], known.weight >= weight { return }
      offsets[offset] = Choice(offset: offset, weight: weight, text: text)
    }
    let chunks = request.chunkByteCount.map { [$0] } ?? [512 << 10, 64 << 10, 0]
    for chunk in chunks {
      add(
        Self.usual(deviceByteCount: size, chunkByteCount: chunk), chunk == 512 << 10 ? 3 : 2,
        "the data offset is mdadm's default for members of this size")
      var asked = MemberLayout.Request()
      asked.chunkByteCount = chunk
      if let layout = MemberLayout(memberByteCount: size, request: asked) {
        add(layout.dataOffset, 2.5, "the data offset is ftool's default for members of this size")
      }
    }
    add(0, 2, "the data starts where the members start, as with metadata 1.0 and 0.90")
    for sectors in [264, 272, 136, 2048, 4096, 8192, 16384, 32768, 65536, 262_144, 264_192] {
      add(sectors * 512, 0, "the data offset is one that mdadm has used")
    }
    for group in anchors.groups where group.startsArray {
      let heads = group.anchors.filter { $0.stated <= 1024 }.map { $0.offset - $0.stated }
      for offset in Set(heads).sorted().prefix(4) {
        add(offset, 0.5, "\(group.kind) begins at the data offset")
      }
    }
    if let first = anchors.archive.map(\.offset).min() {
      add(first, 0.5, "a tar archive begins at the data offset")
    }
    for mark in book.landmarks.filter({ $0 >= 1 << 20 }).prefix(1) {
      add(mark / 65536 * 65536, -1, "the first content lies at the data offset")
    }
    choices = offsets.values.sorted { ($0.weight, $1.offset) > ($1.weight, $0.offset) }
    if choices.count > 20 { choices.removeLast(choices.count - 20) }
  }

  /// mdadm's choice (super1.c), in bytes.
  static func usual(deviceByteCount: Int, chunkByteCount: Int) -> Int {
    let sectors = deviceByteCount / 512
    let bitmap =
      sectors < 64 * 2 ? 0 : sectors <= 8 << 21 ? 8 : sectors <= 200 << 21 ? 128 : 256
    var headroom = 128 * 2048
    while headroom << 10 > sectors,
      chunkByteCount == 0 || headroom / 2 >= 2 * (chunkByteCount / 512), headroom > 8
    {
      headroom >>= 1
    }
    return (24 + bitmap + headroom + 2047) / 2048 * 2048 * 512
  }

  /// Sizes that the data area of a device may have, the most usual first.
  static func memberByteCounts(
    deviceByteCount: Int, dataOffset: Int, chunkByteCount: Int
  ) -> [Int] {
    var sizes: [Int] = []
    func add(_ size: Int) {
      let rounded = chunkByteCount > 0 ? size / chunkByteCount * chunkByteCount : size / 4096 * 4096
      if rounded > 0, !sizes.contains(rounded) { sizes.append(rounded) }
    }
    let sectors = deviceByteCount / 512
    if dataOffset == 0 {
      for bitmap in [8, 128, 256] {
        if let place = MDMetadataVersion.v1_0.superblockSector(memberSectors: sectors) {
          add((place - 8 - bitmap) * 512)
        }
      }
      if let place = MDMetadataVersion.v0_90.superblockSector(memberSectors: sectors) {
        add(place * 512)
      }
    }
    add(deviceByteCount - dataOffset)
    var asked = MemberLayout.Request()
    asked.chunkByteCount = chunkByteCount
    if dataOffset > 0 { asked.dataOffset = dataOffset } else { asked.version = .v1_0 }
    if let layout = MemberLayout(memberByteCount: deviceByteCount, request: asked) {
      add(layout.dataByteCount)
    }
    return sizes
  }
}
