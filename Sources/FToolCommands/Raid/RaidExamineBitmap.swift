import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat

/// A member's copy of the write-intent bitmap, in numbers.
struct RaidExamineBitmap: Sendable {
  /// Why there is no more to say.
  enum Problem: Error, Equatable, Sendable {
    case header(MDBitmapError)
    /// Bits beyond the member's end, or in the data.
    case outOfRoom
  }

  let content: Result<Content, Problem>

  struct Content: Sendable {
    let header: MDBitmapHeader
    let dirtyBitCount: Int
  }

  /// Reads the bitmap that a superblock names; nil when it names none.
  init?(of superblock: MDSuperblock, on device: any BlockDevice) throws(Failure) {
    guard let sector = superblock.bitmapSector else { return nil }
    let start = sector * 512
    let page = try RaidExamineFinding.read(device, start..<min(start + 4096, device.byteCount))
    let header: MDBitmapHeader
    do throws(MDBitmapError) {
      header = try MDBitmapHeader(decoding: page.rawBytes)
    } catch {
      content = .failure(.header(error))
      return
    }
    let free = superblock.freeSectors(from: sector, memberSectors: device.byteCount / 512)
    guard MDBitmapHeader.byteCount + (header.bitCount + 7) / 8 <= free * 512 else {
      content = .failure(.outOfRoom)
      return
    }
    let dirty = try Self.dirtyBitCount(
      header.bitCount, at: start + MDBitmapHeader.byteCount, on: device)
    content = .success(Content(header: header, dirtyBitCount: dirty))
  }

  /// Counts set bits without holding them all.
  private static func dirtyBitCount(
    _ bitCount: Int, at start: Int, on device: any BlockDevice
  ) throws(Failure) -> Int {
    let step = 1 << 20
    var count = 0
    for byte in stride(from: 0, to: (bitCount + 7) / 8, by: step) {
      let end = min(byte + step, (bitCount + 7) / 8)
      let bytes = try RaidExamineFinding.read(device, start + byte..<start + end)
      for (index, value) in bytes.enumerated() {
        let rest = bitCount - 8 * (byte + index)
        let used = rest < 8 ? value & (1 << UInt8(rest) - 1) : value
        count += used.nonzeroBitCount
      }
    }
    return count
  }

  // MARK: Text, as `mdadm --examine-bitmap` has it

  func lines(of superblock: MDSuperblock) -> [String] {
    func line(_ name: String, _ value: String) -> String {
      RaidExamineFinding.line(name, value, width: 16)
    }
    switch content {
    case .failure(.outOfRoom): return [line("Bitmap", "its bits have no room where they should be")]
    case .failure(.header(let error)): return [line("Bitmap", "cannot be used: \(error)")]
    case .success(let content):
      let header = content.header
      let identifier =
        superblock.version == .v0_90 ? header.arrayID.wordSwapped : header.arrayID
      return [
        line("Magic", "6d746962"),
        line("Version", "\(header.version)"),
        line("UUID", "\(identifier)"),
        line("Events", "\(header.events)"),
        line("Events Cleared", "\(header.eventsCleared)"),
        line("State", Self.text(of: header.state)),
        line("Chunksize", Self.chunkSize(header.chunkByteCount)),
        line("Daemon", "\(header.daemonSleepSeconds)s flush period"),
        line("Write Mode", Self.writeMode(header.writeBehindCount)),
        line(
          "Sync Size",
          "\(header.syncSizeSectors / 2)"
            + RaidExamineFinding.size(
              header.syncSizeSectors.multipliedReportingOverflow(by: 512).partialValue)),
        line("Bitmap", content.summary),
      ]
    }
  }

  private static func text(of state: MDBitmapHeader.State) -> String {
    switch state {
    case []: "OK"
    case .stale: "Out of date"
    default: "Unknown"
    }
  }

  private static func writeMode(_ limit: UInt32) -> String {
    limit == 0 ? "Normal" : "Allow write behind, max \(limit)"
  }

  private static func chunkSize(_ byteCount: UInt32) -> String {
    let units = ["B", "KB", "MB", "GB"]
    let power = min(3, (31 - max(byteCount, 1).leadingZeroBitCount) / 10)
    return "\(byteCount >> UInt32(10 * power)) \(units[power])"
  }

  // MARK: JSON

  var json: JSONValue {
    switch content {
    case .failure(let problem): return ["problem": .string("\(problem)")]
    case .success(let content):
      let header = content.header
      return [
        "version": .number(header.version), "events": .number(header.events),
        "events_cleared": .number(header.eventsCleared),
        "stale": .bool(header.state.contains(.stale)),
        "chunk_bytes": .number(header.chunkByteCount),
        "flush_seconds": .number(header.daemonSleepSeconds),
        "write_behind": .number(header.writeBehindCount),
        "covered_bytes": .number(RaidExamineFinding.clampedBytes(header.syncSizeSectors)),
        "bits": .number(header.bitCount), "dirty_bits": .number(content.dirtyBitCount),
      ]
    }
  }
}

extension RaidExamineBitmap.Content {
  /// `352 bits (chunks), 3 dirty (0.9%)`.
  fileprivate var summary: String {
    let share = 1000 * Double(dirtyBitCount) / Double(max(1, header.bitCount))
    let tenths = Int(share.rounded(.toNearestOrEven))
    return
      "\(header.bitCount) bits (chunks), \(dirtyBitCount) dirty (\(tenths / 10).\(tenths % 10)%)"
  }
}
