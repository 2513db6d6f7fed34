import BinaryCodec
import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import Testing

@testable import Raid

/// What an array is to be.
struct ArrayRecipe: Sendable, CustomTestStringConvertible {
  var level = RaidLevel.singleParity
  var layout: UInt32 = 2
  var chunk = 8192
  var slotCount = 4
  /// Data bytes of each member.
  var dataByteCount = 128 << 10
  var version = MDMetadataVersion.v1_2
  var hasSums = true
  var hasBitmap = false
  /// Only where there are sums.
  var hasJournal = true
  var spareCount = 0

  var testDescription: String {
    "\(level.name(slotCount: slotCount)) \(layout) of \(slotCount), chunk \(chunk), \(dataByteCount) each, \(version.rawValue)"
      + (hasSums ? ", sums" : "") + (hasBitmap ? ", bitmap" : "")
      + (hasSums && hasJournal ? ", journal" : "")
  }

  static let raid0 = ArrayRecipe(level: .striped, layout: 1)
  static let raid1 = ArrayRecipe(level: .mirrored, layout: 0, chunk: 0, slotCount: 3)
  static let mirror = ArrayRecipe(level: .mirrored, layout: 0, chunk: 0, slotCount: 2)
  static let raid4 = ArrayRecipe(level: .dedicatedParity, layout: 0)
  static let raid5 = ArrayRecipe()
  static let raid6 = ArrayRecipe(level: .doubleParity, slotCount: 5)
  static let raid10 = ArrayRecipe(level: .mirroredStripes, layout: 0x102)
  static let far2 = ArrayRecipe(level: .mirroredStripes, layout: 0x201, slotCount: 3)
  static let offset2 = ArrayRecipe(level: .mirroredStripes, layout: 0x10201, slotCount: 5)
  static let triple = ArrayRecipe(
    level: .erasureCoded(parityCount: 3), layout: 3, slotCount: 7)
  static let linear = ArrayRecipe(level: .linear, layout: 0, chunk: 0, slotCount: 3)

  /// One of each level that can lose members.
  static let redundant: [ArrayRecipe] = [
    raid1, mirror, raid4, raid5, raid6, raid10, far2, offset2, triple,
  ]
  static let all = redundant + [raid0, linear]

  /// The same, where only the bitmap says what was being written.
  var withoutJournal: ArrayRecipe { with { $0.hasJournal = false } }

  func with(_ change: (inout ArrayRecipe) -> Void) -> ArrayRecipe {
    var copy = self
    change(&copy)
    return copy
  }

  /// What a member file has to have.
  var memberByteCount: Int {
    (hasSums ? (128 << 10) + max(128 << 10, (24 << 10) * slotCount) : 32 << 10) + dataByteCount * 5
      / 4
      + (dataByteCount > 4 << 20 ? 4 << 20 : 0) + (dataByteCount / 1016 / 4096 + 1) * 4096
  }

  func device(_ name: String) -> MemoryDevice {
    MemoryDevice(byteCount: memberByteCount, name: name)
  }

  static func random(using random: inout SeededGenerator) -> ArrayRecipe {
    var recipe = ArrayRecipe()
    recipe.chunk = [4096, 8192, 16384, 32768].randomElement(using: &random)!
    recipe.slotCount = Int.random(in: 2...6, using: &random)
    switch Int.random(in: 0..<12, using: &random) {
    case 0:
      recipe.level = .linear
      recipe.layout = 0
      recipe.chunk = 0
    case 1:
      recipe.level = .striped
      recipe.layout = [1, 2].randomElement(using: &random)!
    case 2, 3:
      recipe.level = .mirrored
      recipe.layout = 0
      recipe.chunk = 0
    case 4:
      recipe.level = .dedicatedParity
      recipe.layout = 0
    case 5, 6:
      recipe.level = .singleParity
      recipe.layout = UInt32.random(in: 0...5, using: &random)
    case 7, 8:
      recipe.level = .doubleParity
      recipe.slotCount = max(4, recipe.slotCount)
      recipe.layout = UInt32(SlowGeometry.parityLayouts(ofLevel: 6).randomElement(using: &random)!)
    case 9, 10:
      recipe.level = .mirroredStripes
      let near = Int.random(in: 1...2, using: &random)
      recipe.layout = [0x102, 0x201, 0x10201].randomElement(using: &random)!
      if near * 3 <= recipe.slotCount, Bool.random(using: &random) {
        recipe.layout = [0x103, 0x301, 0x10301].randomElement(using: &random)!
      }
      if recipe.slotCount >= 4, Bool.random(using: &random) { recipe.layout = 0x202 }
    default:
      let parity = Int.random(in: 1...4, using: &random)
      recipe.level = .erasureCoded(parityCount: parity)
      recipe.layout = UInt32(parity)
      recipe.slotCount = parity + Int.random(in: 1...4, using: &random)
    }
    recipe.dataByteCount =
      max(1, Int.random(in: 2...6, using: &random)) * 32768
      + (recipe.level == .linear ? 512 * Int.random(in: 0...7, using: &random) : 0)
    recipe.version = [.v1_0, .v1_1, .v1_2].randomElement(using: &random)!
    recipe.hasSums = Int.random(in: 0..<4, using: &random) > 0
    recipe.hasBitmap = !recipe.level.usesWholeMembers && Bool.random(using: &random)
    recipe.hasJournal = Bool.random(using: &random)
    return recipe
  }
}

/// An array over devices in memory, and what should be in it.
final class ArrayBench {
  let recipe: ArrayRecipe
  /// By slot, as they are now.
  var devices: [MemoryDevice]
  /// What a user sees: faulty devices, for instance.
  var wrap: (MemoryDevice) -> any BlockDevice = { $0 }
  var model: [UInt8]
  var spares: [MemoryDevice] = []
  private var nextName: Int

  init(_ recipe: ArrayRecipe, garbage: UInt64? = nil) throws {
    self.recipe = recipe
    devices = (0..<recipe.slotCount).map { recipe.device("m\($0)") }
    spares = (0..<recipe.spareCount).map { recipe.device("spare\($0)") }
    nextName = recipe.slotCount
    if let garbage {
      var random = SeededGenerator(seed: garbage)
      for device in devices + spares {
        try device.write(random.bytes(device.byteCount), at: 0)
        try device.flush()
      }
    }
    model = []
    let creation = try ArrayCreation(Self.request(recipe), devices: devices, spares: spares)
    try creation.write()
    _ = try creation.initialise(
      assumesClean: garbage == nil && recipe.level.usesWholeMembers, SweepOptions())
    model = [UInt8](repeating: 0, count: creation.shape.byteCount)
    if garbage != nil { model = try contents(open(writable: false)) }
  }

  /// An array that was made already; the devices by slot, then the spares.
  init(_ recipe: ArrayRecipe, over devices: [MemoryDevice]) {
    self.recipe = recipe
    self.devices = Array(devices.prefix(recipe.slotCount))
    spares = Array(devices.dropFirst(recipe.slotCount))
    model = []
    nextName = devices.count
  }

  private init(copying other: ArrayBench) {
    recipe = other.recipe
    devices = other.devices.map { $0.copy() }
    spares = other.spares.map { $0.copy() }
    model = other.model
    nextName = other.nextName
  }

  /// The same array once more, on devices of its own.
  func copy() -> ArrayBench { ArrayBench(copying: self) }

  static func request(_ recipe: ArrayRecipe) -> ArrayCreation.Request {
    var request = ArrayCreation.Request(
      level: recipe.level, layout: recipe.layout, chunkByteCount: recipe.chunk, name: "bench")
    request.version = recipe.version
    request.hasSums = recipe.hasSums
    request.hasBitmap = recipe.hasBitmap
    request.hasJournal = recipe.hasJournal
    request.memberByteCount = recipe.dataByteCount
    return request
  }

  /// A device that was never a member.
  func fresh(garbage: UInt64? = nil) -> MemoryDevice {
    nextName += 1
    let name = "m\(nextName)"
    guard let garbage else { return recipe.device(name) }
    return MemoryDevice(SeededGenerator.bytes(seed: garbage, recipe.memberByteCount), name: name)
  }

  func open(
    writable: Bool = true, without missing: Set<Int> = [], degraded: Bool? = nil,
    doubt: Bool = true, readPolicy: ReadPolicy = .roundRobin
  ) throws -> RaidArray {
    var options = RaidArray.Options()
    options.isWritable = writable
    options.allowsDegraded = degraded ?? !missing.isEmpty
    options.allowsDoubt = doubt
    options.readPolicy = readPolicy
    let given = devices.indices.filter { !missing.contains($0) }.map { wrap(devices[$0]) }
    return try RaidArray.open(given + spares.map { wrap($0) }, options: options)
  }

  /// From now on the array is opened with these faults on one of its devices.
  @discardableResult
  func inject(_ plan: [FaultyDevice.Fault], on target: MemoryDevice) -> FaultyDevice {
    let faulty = FaultyDevice(target, plan: plan)
    wrap = { device -> any BlockDevice in
      if device === target { return faulty }
      return device
    }
    return faulty
  }

  /// Fills the member of a slot with what it missed, as far as the others know that, while it was out.
  func bringBack(_ slot: Int) throws {
    let array = try open(without: [slot])
    let probe = try MemberProbe(devices[slot])
    let ranges = try array.admit(devices[slot], toSlot: slot, knownAs: probe)
    _ = try array.rebuild(slot: slot, ranges: ranges, SweepOptions())
    try array.close()
  }

  func contents(_ array: RaidArray) throws -> [UInt8] {
    if !recipe.hasSums { #expect(array.membersLackingSums.isEmpty) }
    return try array.bytes(0..<array.byteCount)
  }

  /// Writes to the array and to the model.
  func write(_ bytes: [UInt8], at offset: Int, to array: RaidArray) throws {
    try array.write(bytes, at: offset)
    model.replaceSubrange(offset..<offset + bytes.count, with: bytes)
  }

  func fill(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let array = try open()
    try write(random.bytes(array.byteCount), at: 0, to: array)
    try array.close()
  }

  /// Where the data of a slot's member starts.
  func dataOffset(_ slot: Int) throws -> Int {
    Int(try superblock(slot).dataOffsetSectors) * 512
  }

  func superblock(_ slot: Int) throws -> MDSuperblock { try MemberProbe(devices[slot]).superblock }

  func header(_ slot: Int) throws -> RegionHeader {
    try #require(try MemberProbe(devices[slot]).header)
  }

  /// Where the block that holds an array byte lies on the device of one of its slots.
  func place(of offset: Int, copy: Int = 0) throws -> (slot: Int, deviceOffset: Int) {
    let place = geometry.places(of: offset)[copy]
    return (place.slot, try dataOffset(place.slot) + place.offset)
  }

  /// Bytes of every member that the array uses.
  var sizes: [Int] {
    devices.indices.map { slot in
      guard let superblock = try? superblock(slot) else { return recipe.dataByteCount }
      return Int(
        recipe.level.usesWholeMembers ? superblock.dataSizeSectors : superblock.sizeSectors) * 512
    }
  }

  var geometry: SlowGeometry {
    SlowGeometry(
      level: Int(recipe.level.number), layout: Int(recipe.layout), chunk: recipe.chunk,
      slotCount: recipe.slotCount, sizes: sizes)
  }
}
