import BinaryCodec
import BlockStorage
import LinuxSystem
import Synchronization

/// The sums of one member's data: one for every 4 KiB, kept in a region of the member (or in a file
/// beside it), each covering also the array's UUID, the slot and the block's number, so that a write
/// that went astray is found.
///
/// A sum of 0 says that the block is all zeros. 1016 sums make a block of sums; a block of sums that is
/// itself all zeros says that of everything it covers, so that fresh arrays need no space for sums.
///
/// ```
/// offset size   a block of sums
///      0    4   magic "SUMS"
///      4    4   CRC-32C of (array's UUID, slot, bytes 8 to 4095)
///      8    8   number of the first data block it covers
///     16    4   1 in one that is damaged, and of which what has not been given anew has vanished
///     20   12   zero
///     32 4064   1016 sums of 4 bytes
/// ```
///
/// Sums live in a cache that writes back at `flush`. What is not flushed when the machine dies belongs
/// to regions that the intent bitmap has marked.
final class BlockSums: Sendable {
  static let blockByteCount = 4096
  static let sumsPerBlock = 1016
  private static let magic: UInt32 = 0x534d_5553
  private static let headerByteCount = 32

  /// Room for the sums of so much data.
  static func regionByteCount(dataByteCount: Int) -> Int {
    let blocks = (dataByteCount + blockByteCount - 1) / blockByteCount
    return (blocks + sumsPerBlock - 1) / sumsPerBlock * blockByteCount
  }

  /// Data bytes whose sums a region has room for.
  static func dataByteCount(regionByteCount: Int) -> Int {
    regionByteCount / blockByteCount * sumsPerBlock * blockByteCount
  }

  /// What a comparison with stored sums says.
  enum Verdict: Equatable {
    case match
    /// The first block, counted from the first that was asked about, that differs.
    case mismatch(block: Int)
    /// The block of sums that has the block's is damaged, and it has not been renewed: counted likewise.
    case unknown(block: Int)
    /// Likewise, and both are zeros, although the block of sums was written: as where a file was cut off.
    case vanished(block: Int)
  }

  private final class Page {
    var sums: [UInt32]
    var isDirty = false
    /// Nothing of it is believed until every one of its sums has been given anew.
    var isDamaged: Bool
    /// It was all zeros, although it had been written; so are those of its sums that have not been given anew.
    var hasVanished = false
    /// It could be read, and nobody knew that it is damaged: if it is, its sums may be of two times.
    var isLegible = true
    var renewed: Set<Int> = []
    /// There are blocks in it that are not to be given anew.
    var isGivenUp = false
    /// The checksum that it has on the device.
    var storedChecksum: UInt32 = 0
    var lastUse: UInt64 = 0

    init(sums: [UInt32], isDamaged: Bool) {
      self.sums = sums
      self.isDamaged = isDamaged
    }

    /// What has been given anew of it is in memory only: the device tells no part of a damaged one.
    var isIncomplete: Bool { isDamaged && !renewed.isEmpty && !isGivenUp }

    /// How many sums from this one on are known: all, or those of a damaged one that have been given anew.
    func knownCount(from first: Int, limit: Int) -> Int {
      if !isDamaged { return limit }
      return (0..<limit).first { !renewed.contains(first + $0) } ?? limit
    }
  }

  private struct Cache {
    var pages: [Int: Page] = [:]
    var clock: UInt64 = 0
    /// nil where nothing says which blocks of sums are new: then all that are zeros are.
    var blanks: BlankSums?
    /// Blocks of sums that have been written, and are not noted as such: not flushed yet, and flushed.
    var written = RangeSet<Int>()
    var durable = RangeSet<Int>()

    /// Whether a block of sums that is all zeros is so because nobody has written it.
    mutating func isBlank(_ number: Int) throws(DeviceError) -> Bool {
      if blanks == nil { return true }
      if written.contains(number) || durable.contains(number) { return false }
      return try blanks!.contains(number)
    }

    mutating func noteWritten(_ number: Int) throws(DeviceError) {
      guard blanks != nil, try isBlank(number) else { return }
      written.insert(contentsOf: number..<number + 1)
    }
  }

  private let device: any BlockDevice
  private let region: Range<Int>
  private let cache: Mutex<Cache>
  private let pageLimit: Int
  /// Blocks of data that have sums.
  let blockCount: Int
  /// They lie in a file of their own, and nobody is bound to look there before the data is believed.
  let isBeside: Bool
  /// Whether the array ever writes a block.
  private let isUsed: @Sendable (Int) -> Bool
  /// The register of CRC-32C after the array's UUID and the slot.
  let prefixRegister: UInt32

  /// - Parameters:
  ///   - region: bytes of `device`.
  ///   - dataByteCount: what the region has sums for.
  ///   - blanks: bytes of `device` where `BlankSums` is kept; too short ones say nothing.
  ///   - pageLimit: how many blocks of sums to keep in memory.
  ///   - isUsed: whether a block of data belongs to the array; others are never given a sum.
  init(
    device: any BlockDevice, region: Range<Int>, dataByteCount: Int, arrayID: Identifier,
    slot: UInt32, blanks: Range<Int>? = nil, isBeside: Bool = false, pageLimit: Int = 64,
    isUsed: @escaping @Sendable (Int) -> Bool = { _ in true }
  ) {
    self.device = device
    self.isBeside = isBeside
    self.isUsed = isUsed
    self.region = region
    blockCount = (dataByteCount + Self.blockByteCount - 1) / Self.blockByteCount
    self.pageLimit = max(2, pageLimit)
    prefixRegister = Self.prefixRegister(arrayID: arrayID, slot: slot)
    var cache = Cache()
    if let blanks, blanks.count >= BlankSums.byteCount(sumsByteCount: region.count) {
      cache.blanks = BlankSums(device: device, region: blanks)
    }
    self.cache = Mutex(cache)
  }

  /// The sums that a member keeps itself, where its header says; nil where it keeps none.
  convenience init?(
    on device: any BlockDevice, _ header: RegionHeader?, slot: Int, dataByteCount: Int,
    slotCount: Int, isUsed: @escaping @Sendable (Int) -> Bool = { _ in true }
  ) {
    guard let header, let region = header.range(of: .sums) else { return nil }
    self.init(
      device: device, region: region,
      dataByteCount: min(dataByteCount, Self.dataByteCount(regionByteCount: region.count)),
      arrayID: header.arrayID, slot: UInt32(slot), blanks: header.range(of: .blanks),
      pageLimit: max(8, 2048 / max(1, slotCount)), isUsed: isUsed)
  }

  static func prefixRegister(arrayID: Identifier, slot: UInt32) -> UInt32 {
    var prefix = AlignedBuffer(byteCount: 24)
    var bytes = prefix.mutableBytes
    arrayID.store(in: &bytes, at: 0)
    bytes.store(slot, at: 16)
    bytes.store(UInt32(0), at: 20)
    var sum = CRC32C()
    sum.update(prefix.bytes.sub(0..<20))
    return sum.register
  }

  /// Compares the sums of blocks `first` and on with what is stored.
  ///
  /// - Parameter sums: computed by `blockSums(of:…)`, `sums[start..<start + count]`.
  func compare(
    _ sums: [UInt32], from start: Int, count: Int, firstBlock first: Int
  ) throws(DeviceError) -> Verdict {
    try eachPage(from: first, count: count) { page, inPage, offset, run in
      let known = page.knownCount(from: inPage, limit: run)
      for index in 0..<known where page.sums[inPage + index] != sums[start + offset + index] {
        return .mismatch(block: offset + index)
      }
      if known == run { return nil }
      let isZero = sums[start + offset + known] == 0
      return isZero && page.hasVanished
        ? .vanished(block: offset + known) : .unknown(block: offset + known)
    } ?? .match
  }

  /// Stores the sums of blocks `first` and on; they reach the device at the next `flush`, or before.
  func record(
    _ sums: [UInt32], from start: Int, count: Int, firstBlock first: Int
  ) throws(DeviceError) {
    _ = try eachPage(from: first, count: count) { page, inPage, offset, run in
      for index in 0..<run { page.sums[inPage + index] = sums[start + offset + index] }
      page.isDirty = true
      if page.isDamaged {
        page.renewed.formUnion(inPage..<inPage + run)
        let pageStart = (first + offset) / Self.sumsPerBlock * Self.sumsPerBlock
        page.isDamaged = (pageStart..<min(pageStart + Self.sumsPerBlock, blockCount)).contains {
          !page.renewed.contains($0 - pageStart) && isUsed($0)
        }
        // What no block of the array stands for says nothing from now on.
        if !page.isDamaged {
          for index in page.sums.indices where !page.renewed.contains(index) {
            page.sums[index] = 0
          }
        }
      }
      return nil
    }
  }

  /// Says that these blocks will not be given anew: a damaged block of sums that has some of them stays damaged.
  func giveUp(_ blocks: Range<Int>) throws(DeviceError) {
    let within = blocks.clamped(to: 0..<blockCount)
    _ = try eachPage(from: within.lowerBound, count: within.count) { page, _, _, _ in
      page.isGivenUp = page.isDamaged
      return nil
    }
  }

  /// The first block, if any, that a damaged block of sums stands for of which only a part has been given anew yet. When
  /// the array is closed, that part is forgotten.
  var firstIncompleteBlock: Int? {
    cache.withLock { cache in
      cache.pages.lazy.filter { $0.value.isIncomplete }.map { $0.key * Self.sumsPerBlock }.min()
    }
  }

  /// Believes damaged blocks of sums for these blocks that are whole with what has been given anew: their own checksum
  /// was written, and some of the rest was not.
  func acceptCompleted(_ blocks: Range<Int>) throws(DeviceError) {
    let within = blocks.clamped(to: 0..<blockCount)
    _ = try eachPage(from: within.lowerBound, count: within.count) { page, inPage, offset, _ in
      if page.isDamaged, page.isLegible {
        let number = (within.lowerBound + offset) / Self.sumsPerBlock
        if checksum(of: encoded(page.sums, number: number).bytes) == page.storedChecksum {
          page.isDamaged = false
          page.isDirty = true
        }
      }
      return nil
    }
  }

  /// Blocks of sums for these blocks that are damaged as a crash may have left them, what can be read of them, and all
  /// blocks that they are for.
  func tornPages(
    in blocks: Range<Int>
  ) throws(DeviceError) -> [(blocks: Range<Int>, sums: [UInt32])] {
    var torn: [(blocks: Range<Int>, sums: [UInt32])] = []
    let within = blocks.clamped(to: 0..<blockCount)
    _ = try eachPage(from: within.lowerBound, count: within.count) { page, inPage, offset, _ in
      if page.isDamaged, page.isLegible {
        let start = within.lowerBound + offset - inPage
        torn.append((start..<min(start + Self.sumsPerBlock, blockCount), page.sums))
      }
      return nil
    }
    return torn
  }

  /// Believes what can be read of a damaged block of sums, one of `tornPages`, but for some blocks: where there are
  /// such, it stays damaged until all of it has been given anew.
  func accept(_ blocks: Range<Int>, besides doubtful: Set<Int>) throws(DeviceError) {
    _ = try eachPage(from: blocks.lowerBound, count: blocks.count) { page, _, _, run in
      guard page.isDamaged, page.isLegible else { return nil }
      page.isDirty = true
      page.isLegible = false
      page.isDamaged = doubtful.contains(where: isUsed)
      if page.isDamaged {
        page.renewed.formUnion((0..<run).filter { !doubtful.contains(blocks.lowerBound + $0) })
      }
      return nil
    }
  }

  /// The sum of a block that is lost where there was none before.
  static let poisonOfNothing: UInt32 = 0xffff_ffff

  /// Gives a block a sum that its content does not have: it is lost, and must not be taken for good.
  ///
  /// - Returns: false where the block of sums is damaged, and says nothing of the block.
  func poison(block: Int) throws(DeviceError) -> Bool {
    guard let sum = try storedSum(ofBlock: block) else { return false }
    try record([sum ^ Self.poisonOfNothing], from: 0, count: 1, firstBlock: block)
    return true
  }

  /// The stored sum of one block; nil when the block of sums is damaged, and it has not been renewed.
  func storedSum(ofBlock block: Int) throws(DeviceError) -> UInt32? {
    var sum: UInt32?
    _ = try eachPage(from: block, count: 1) { page, inPage, _, _ in
      sum = page.knownCount(from: inPage, limit: 1) == 1 ? page.sums[inPage] : nil
      return nil
    }
    return sum
  }

  /// The stored sums of these blocks; nil when a block of sums is damaged, and not all of these have been renewed.
  func stored(_ blocks: Range<Int>) throws(DeviceError) -> [UInt32]? {
    var found: [UInt32] = []
    found.reserveCapacity(blocks.count)
    let verdict = try eachPage(from: blocks.lowerBound, count: blocks.count) {
      page, inPage, offset, run in
      let known = page.knownCount(from: inPage, limit: run)
      found += page.sums[inPage..<inPage + known]
      return known < run ? .unknown(block: offset + known) : nil
    }
    return verdict == nil ? found : nil
  }

  /// Whether all stored sums of these blocks say "all zeros".
  func areAllZero(_ blocks: Range<Int>) throws(DeviceError) -> Bool {
    let verdict = try eachPage(from: blocks.lowerBound, count: blocks.count) {
      page, inPage, offset, run in
      if page.isDamaged { return .unknown(block: offset) }
      for index in 0..<run where page.sums[inPage + index] != 0 {
        return .mismatch(block: offset + index)
      }
      return nil
    }
    return verdict == nil
  }

  /// Up to which block, from the first of these on, all sums are known to be zero because nothing was
  /// ever stored there: found without reading anything.
  func endOfHole(in blocks: Range<Int>) -> Int {
    cache.withLock { cache in
      let pages =
        blocks.lowerBound / Self.sumsPerBlock..<(blocks.upperBound + Self.sumsPerBlock - 1)
        / Self.sumsPerBlock
      let start = region.lowerBound + pages.lowerBound * Self.blockByteCount
      let limit = region.lowerBound + pages.upperBound * Self.blockByteCount
      let extent = device.extent(at: start, limit: limit)
      guard extent.isHole else { return blocks.lowerBound }
      var end = (extent.range.upperBound - region.lowerBound) / Self.blockByteCount
      // What was written once, and is a hole now, is lost.
      let written = (pages.lowerBound..<max(pages.lowerBound, end)).first {
        ((try? cache.isBlank($0)) ?? false) == false
      }
      if let written { end = written }
      // What is only in memory yet counts, too.
      for (number, page) in cache.pages
      where pages.contains(number) && (page.isDamaged || page.sums.contains { $0 != 0 }) {
        end = min(end, number)
      }
      return max(blocks.lowerBound, min(blocks.upperBound, end * Self.sumsPerBlock))
    }
  }

  /// Which blocks of sums in this range of data blocks are damaged: ranges of data blocks.
  func damagedRanges(in blocks: Range<Int>) throws(DeviceError) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    _ = try eachPage(from: blocks.lowerBound, count: blocks.count) { page, _, offset, run in
      if page.isDamaged {
        ranges.append(blocks.lowerBound + offset..<blocks.lowerBound + offset + run)
      }
      return nil
    }
    return ranges
  }

  /// Writes what is only in memory. The device's own flush is the caller's, who may say with `wereFlushed` that it
  /// is done.
  ///
  /// - Returns: blocks of sums that were new, and are on stable storage once the device has been flushed.
  @discardableResult
  func flush() throws(DeviceError) -> RangeSet<Int> {
    try cache.withLock { (cache) throws(DeviceError) in
      for (number, page) in cache.pages.sorted(by: { $0.key < $1.key }) where page.isDirty {
        try write(page, number: number, in: &cache)
      }
      return cache.written
    }
  }

  /// Hears that the device has been flushed since `flush` gave these.
  func wereFlushed(_ numbers: RangeSet<Int>) {
    if numbers.isEmpty { return }
    cache.withLock { cache in
      cache.written.subtract(numbers)
      cache.durable.formUnion(numbers)
    }
  }

  /// Notes on the device which blocks of sums are new no more. The device's own flush can wait.
  func noteFlushed() throws(DeviceError) {
    try cache.withLock { (cache) throws(DeviceError) in
      if cache.durable.isEmpty { return }
      try cache.blanks?.remove(cache.durable)
      cache.durable = RangeSet()
    }
  }

  /// Forgets everything that was stored: the region then says that all data is zeros.
  func reset() throws(DeviceError) {
    try cache.withLock { (cache) throws(DeviceError) in
      cache.pages.removeAll()
      (cache.written, cache.durable) = (RangeSet(), RangeSet())
      if cache.blanks != nil {
        try cache.blanks!.fill()
        // Or what is zeros then would pass for lost.
        try device.flush()
      }
      try device.zero(region)
    }
  }

  /// Says that nothing is known of any block until its sum has been given anew. The device's own flush is the
  /// caller's.
  func distrustAll() throws(DeviceError) {
    try cache.withLock { (cache) throws(DeviceError) in
      cache.pages.removeAll()
      let sums = [UInt32](repeating: 0, count: Self.sumsPerBlock)
      for number in 0..<region.count / Self.blockByteCount {
        try write(Page(sums: sums, isDamaged: true), number: number, in: &cache)
      }
      try cache.blanks?.remove(cache.written)
      (cache.written, cache.durable) = (RangeSet(), RangeSet())
    }
  }

  /// Calls `body` with each page of the range in turn, until it gives a verdict.
  ///
  /// `body` gets the page, the index of the first sum in it, how many blocks came before, and how many
  /// are in this page.
  private func eachPage(
    from first: Int, count: Int, _ body: (Page, Int, Int, Int) -> Verdict?
  ) throws(DeviceError) -> Verdict? {
    try cache.withLock { (cache) throws(DeviceError) -> Verdict? in
      var done = 0
      while done < count {
        let block = first + done
        let inPage = block % Self.sumsPerBlock
        let run = min(count - done, Self.sumsPerBlock - inPage)
        let page = try page(block / Self.sumsPerBlock, in: &cache)
        if let verdict = body(page, inPage, done, run) { return verdict }
        done += run
      }
      return nil
    }
  }

  private func page(_ number: Int, in cache: inout Cache) throws(DeviceError) -> Page {
    cache.clock += 1
    if let page = cache.pages[number] {
      page.lastUse = cache.clock
      return page
    }
    if cache.pages.count >= pageLimit {
      // Dirty or not, the page that was used longest ago makes room; one that would be half forgotten, last.
      func isOlder(_ one: (key: Int, value: Page), than other: (key: Int, value: Page)) -> Bool {
        one.value.lastUse < other.value.lastUse
      }
      let complete = cache.pages.lazy.filter { !$0.value.isIncomplete }
      let mayWait = cache.pages.count < pageLimit * 4
      if let oldest = complete.min(by: isOlder) ?? (mayWait ? nil : cache.pages.min(by: isOlder)) {
        if oldest.value.isDirty { try write(oldest.value, number: oldest.key, in: &cache) }
        cache.pages[oldest.key] = nil
      }
    }
    let page = try load(number, in: &cache)
    page.lastUse = cache.clock
    cache.pages[number] = page
    return page
  }

  private func load(_ number: Int, in cache: inout Cache) throws(DeviceError) -> Page {
    let at = region.lowerBound + number * Self.blockByteCount
    precondition(at + Self.blockByteCount <= region.upperBound)
    var buffer = AlignedBuffer(byteCount: Self.blockByteCount)
    var bytes = buffer.mutableBytes
    do {
      try device.read(into: &bytes, range: 0..<Self.blockByteCount, at: at)
    } catch .unreadable {
      // A block of sums that can't be read proves nothing, and is written anew by a scrub.
      let page = Page(sums: [UInt32](repeating: 0, count: Self.sumsPerBlock), isDamaged: true)
      page.isLegible = false
      return page
    }
    if isZero(bytes.bytes, range: 0..<Self.blockByteCount) {
      let isBlank = try cache.isBlank(number)
      let page = Page(
        sums: [UInt32](repeating: 0, count: Self.sumsPerBlock), isDamaged: !isBlank)
      page.isLegible = isBlank
      page.hasVanished = !isBlank
      return page
    }
    try cache.noteWritten(number)
    let (stored, right) = (bytes.bytes.integer(at: 4, as: UInt32.self), checksum(of: bytes.bytes))
    let isRight =
      bytes.bytes.integer(at: 0, as: UInt32.self) == Self.magic && stored == right
      && bytes.bytes.integer(at: 8, as: UInt64.self) == UInt64(number * Self.sumsPerBlock)
    let sums = (0..<Self.sumsPerBlock).map {
      bytes.bytes.integer(at: Self.headerByteCount + 4 * $0, as: UInt32.self)
    }
    let page = Page(sums: sums, isDamaged: !isRight)
    page.storedChecksum = stored
    if stored == ~right {
      page.isLegible = false
      page.hasVanished = bytes.bytes.integer(at: 16, as: UInt32.self) == 1
    }
    return page
  }

  private func write(
    _ page: Page, number: Int, in cache: inout Cache
  ) throws(DeviceError) {
    var buffer = encoded(page.sums, number: number)
    var bytes = buffer.mutableBytes
    let at = region.lowerBound + number * Self.blockByteCount
    if !page.isDamaged, page.sums.allSatisfy({ $0 == 0 }), try cache.isBlank(number) {
      bytes.zero()
    } else {
      try cache.noteWritten(number)
      // A damaged block of sums stays recognisably damaged until all of it has been renewed.
      if page.isDamaged, page.hasVanished { bytes.store(UInt32(1), at: 16) }
      let sum = checksum(of: bytes.bytes)
      bytes.store(page.isDamaged ? ~sum : sum, at: 4)
    }
    try device.write(bytes.bytes, range: 0..<Self.blockByteCount, at: at)
    page.isDirty = false
  }

  /// A block of sums but for its checksum.
  private func encoded(_ sums: [UInt32], number: Int) -> AlignedBuffer {
    var buffer = AlignedBuffer(byteCount: Self.blockByteCount)
    var bytes = buffer.mutableBytes
    bytes.zero()
    bytes.store(Self.magic, at: 0)
    bytes.store(UInt64(number * Self.sumsPerBlock), at: 8)
    for (index, sum) in sums.enumerated() {
      bytes.store(sum, at: Self.headerByteCount + 4 * index)
    }
    return buffer
  }

  private func checksum(of block: RawSpan) -> UInt32 {
    var sum = CRC32C(register: prefixRegister)
    sum.update(block.sub(8..<Self.blockByteCount))
    return sum.value
  }
}
