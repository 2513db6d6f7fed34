import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import Raid
import RaidGeometry
import Synchronization
import Testing

/// Arrays that mdadm and a kernel made, whose superblocks are gone and whose order is forgotten: their
/// content alone has to tell what they were.
@Suite struct RecoveryGoldenTests {
  enum Outcome: Equatable {
    /// The layout that was decided on is the array's, or reads what it held.
    case found
    /// It said that it does not know.
    case undecided
    /// It was sure of something wrong.
    case wrong(String)
  }

  /// Those kept here that are found. May grow, never shrink.
  static let found: Set<String> = [
    "raid1-2-bitmap-failed",
    "raid1-2-bitmap-v1.1",
    "raid10-f2-4",
    "raid10-n2-4-bitmap",
    "raid10-o2-3",
    "raid4-3-v0.90",
    "raid5-3-badblocks",
    "raid5-3-bitmap-v1.0",
    "raid5-3-failed",
    "raid5-4-right-asymmetric",
    "raid6-5-ddf-N-restart",
    "raid6-5-right-symmetric-6",
  ]

  /// Those that start: what they hold has to be known.
  static let alive = GoldenArchive.expectations.filter {
    $0.value.contains { $0.content != "refused" }
  }.keys.sorted()

  @Test(arguments: alive)
  func `what was found once is found again, and none is taken for another`(
    _ array: String
  ) throws {
    let outcome = try Self.outcome(array)
    if case .wrong(let what) = outcome { Issue.record("\(array) was taken for \(what)") }
    if Self.found.contains(array) { #expect(outcome == .found) }
  }

  private static func outcome(_ array: String) throws -> Outcome {
    let scratch = try ScratchDirectory()
    let folder = try GoldenArchive.unpack(array, into: scratch)
    let whole = try #require(
      GoldenArchive.expectations[array]?.max { $0.members.count < $1.members.count })
    let devices = try whole.members.map {
      try FileDevice.open("\(folder)/\($0).img", access: .readOnly)
    }
    let truth = try RaidArray.open(devices)
    var random = SeededGenerator(seed: 81)
    let numbers = devices.indices.shuffled(using: &random)
    let blanked = try numbers.map { try BlankedDevice(devices[$0]) }
    let result = try LayoutRecovery.search(blanked)
    guard result.isDecided, let best = result.candidates.first else { return .undecided }
    // One that missed the last changes is found in its place, and no use there: only its superblock could
    // have told.
    let order = best.order.map { number in
      number.flatMap { truth.assembly.standings[numbers[$0]].isCurrent ? $0 : nil }
    }
    let assumed = try RaidArray.assumed(
      shape: best.shape, devices: order.map { $0.map { blanked[$0] } },
      dataOffsets: best.dataOffsets)
    let step = 1 << 20
    let end = min(truth.byteCount, assumed.byteCount)
    for start in stride(from: 0, to: end, by: step) {
      let range = start..<min(start + step, end)
      if try truth.bytes(range) != assumed.bytes(range) {
        return .wrong(
          "\(best.shape.levelName) \(best.shape.layout), chunk \(best.shape.chunkByteCount), order "
            + "\(best.order.map { $0.map { numbers[$0] } }): byte \(start) and on differ; "
            + "\(best.evidence.map { "\($0.weight): \($0.text)" })")
      }
    }
    return .found
  }
}

extension Assembly.Standing {
  /// Whether the member has all that was written to the array.
  fileprivate var isCurrent: Bool { if case .active = self { true } else { false } }
}

/// A member whose superblock reads as zeros.
private final class BlankedDevice: BlockDevice {
  private let device: FileDevice
  private let blank: [Range<Int>]

  init(_ device: FileDevice) throws {
    self.device = device
    blank = try MDMetadataVersion.allCases.compactMap { version in
      guard let sector = version.superblockSector(memberSectors: device.byteCount / 512) else {
        return nil
      }
      let mark = try device.bytes(sector * 512..<sector * 512 + 4)
      return mark == [0xfc, 0x4e, 0x2b, 0xa9] ? sector * 512..<sector * 512 + 4096 : nil
    }
    #expect(!blank.isEmpty, "\(device.name) has no superblock")
  }

  var name: String { device.name }
  var byteCount: Int { device.byteCount }
  func extent(at offset: Int, limit: Int) -> Extent { device.extent(at: offset, limit: limit) }

  func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try device.read(into: &buffer, range: range, at: offset)
    for hidden in blank {
      let part = hidden.clamped(to: offset..<offset + range.count)
      for at in part {
        buffer.storeBytes(of: 0, toByteOffset: range.lowerBound + at - offset, as: UInt8.self)
      }
    }
  }

  func write(_ buffer: RawSpan, range: Range<Int>, at offset: Int) throws(DeviceError) {
    Issue.record("\(name) was written to")
  }

  func flush() throws(DeviceError) {}
}
