import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import Testing

@testable import Raid

/// An array with room to move, over devices in memory, and what is in it.
final class ReshapeBench {
  private(set) var devices: [MemoryDevice]
  private(set) var content: [UInt8]
  /// What a user sees: a faulty device, for instance.
  var wrap: (MemoryDevice) -> any BlockDevice = { $0 }
  private static let memberByteCount = 1 << 20

  /// - Parameter headroom: bytes before the data of each member to move into.
  init(
    _ level: RaidLevel, layout: UInt32 = 2, chunk: Int, slotCount: Int, headroom: Int = 64 << 10,
    version: MDMetadataVersion = .v1_2, hasSums: Bool = true, hasJournal: Bool? = nil,
    hasBitmap: Bool = false, size: Int = 192 << 10, seed: UInt64 = 1
  ) throws {
    devices = (0..<slotCount).map {
      MemoryDevice(byteCount: Self.memberByteCount, name: "m\($0)")
    }
    var request = ArrayCreation.Request(
      level: level, layout: layout, chunkByteCount: chunk, name: "reshaped")
    request.hasSums = hasSums
    request.hasJournal = hasJournal ?? hasSums
    request.hasBitmap = hasBitmap
    request.version = version
    request.memberByteCount = size
    request.dataOffset = version == .v1_0 ? 0 : (16 << 10) + headroom
    let creation = try ArrayCreation(request, devices: devices, spares: [])
    try creation.write()
    _ = try creation.initialise(assumesClean: true, SweepOptions())
    content = SeededGenerator.bytes(seed: seed, creation.shape.byteCount)
    let array = try open()
    try array.write(content, at: 0)
    try array.close()
  }

  private init(copying other: ReshapeBench) {
    devices = other.devices.map { $0.copy() }
    content = other.content
  }

  /// The same array once more, on devices of its own.
  func copy() -> ReshapeBench { ReshapeBench(copying: self) }

  /// Somebody else is there in its place.
  func replace(_ slot: Int, with device: MemoryDevice) { devices[slot] = device }

  func newcomer() -> MemoryDevice {
    let device = MemoryDevice(byteCount: Self.memberByteCount, name: "m\(devices.count)")
    devices.append(device)
    return device
  }

  func open(
    writable: Bool = true, reshapes: Bool = false, without: Set<Int> = []
  ) throws(RaidError) -> RaidArray {
    var options = RaidArray.Options()
    options.isWritable = writable
    options.reshapes = reshapes
    options.allowsDegraded = true
    let given = devices.indices.filter { !without.contains($0) && isMember($0) }
    return try RaidArray.open(given.map { wrap(devices[$0]) }, options: options)
  }

  private func isMember(_ index: Int) -> Bool { (try? MemberProbe(devices[index])) != nil }

  /// Begins a reshape, with as many new members as it needs.
  func begin(_ request: ReshapeRequest) throws {
    let array = try open()
    let plan = try array.reshapePlan(request, givenCount: 8)
    for _ in 0..<max(0, plan.joiningSlots.count - array.members.spares.count) {
      try array.addSpare(wrap(newcomer()), isForReshape: true)
    }
    try array.beginReshape(plan)
    // Fewer members may leave less room.
    if plan.new.byteCount < content.count { content.removeLast(content.count - plan.new.byteCount) }
  }

  /// Goes on until `mayGoOn` says no; true when it is done.
  func goOn(
    while mayGoOn: @escaping @Sendable () -> Bool = { true }
  ) throws -> Bool {
    let array = try open(reshapes: true)
    guard array.isReshaping else { return true }
    var options = SweepOptions()
    options.workers = 2
    options.progress = { _, _ in mayGoOn() }
    return try array.continueReshape(options).isComplete
  }

  /// Goes on until the power goes off after so many writes, if it has not come to its end by then.
  func goOn(cutAfter writeCount: Int) {
    let power = PowerSwitch(after: writeCount, of: .write)
    wrap = { power.wrap($0) }
    defer { wrap = { $0 } }
    _ = try? goOn()
  }

  /// Reads everything, in whichever shape it is, and compares; the rest of it is empty.
  func compare(without: Set<Int> = [], _ comment: Comment) throws {
    let array = try open(writable: false, without: without)
    // Who is about to leave, or to come, may have a header that is of no slot.
    #expect(array.members.active.allSatisfy { !$0.lacksSums || $0.header != nil }, comment)
    let found = try array.bytes(0..<array.byteCount)
    #expect(found.count >= content.count, comment)
    #expect(Array(found.prefix(content.count)) == content, comment)
    #expect(found.dropFirst(content.count).allSatisfy { $0 == 0 }, comment)
  }
}
