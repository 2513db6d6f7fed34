import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import Synchronization

/// The ring of events on one member: records of 256 bytes, each at the place that its sequence number
/// says, so that a new one takes the place of the oldest.
///
/// Whatever else lies there is passed over: what is torn or damaged costs only itself.
struct EventRing {
  let device: any BlockDevice
  /// Device offsets, in bytes.
  let range: Range<Int>
  let arrayID: Identifier

  /// More than any version has made room for: what a header says beyond it is not believed.
  private static let byteLimit = 1 << 20
  private static let blockByteCount = 4096

  /// - Parameter region: as the header says; nil where the member has none.
  init?(_ device: any BlockDevice, region: Range<Int>?, arrayID: Identifier) {
    guard let region, region.count >= Self.blockByteCount else { return nil }
    self.device = device
    self.arrayID = arrayID
    let byteCount = min(region.count, Self.byteLimit) / Self.blockByteCount * Self.blockByteCount
    range = region.lowerBound..<region.lowerBound + byteCount
  }

  /// How many records there is room for.
  var capacity: Int { range.count / ArrayEvent.byteCount }

  /// All records that are whole, in no order. What can't be read is passed over, a block at a time.
  func read() -> [ArrayEvent] {
    var events: [ArrayEvent] = []
    var buffer = AlignedBuffer(byteCount: range.count)
    var bytes = buffer.mutableBytes
    let isRead =
      (try? device.read(into: &bytes, range: 0..<range.count, at: range.lowerBound)) != nil
    for start in stride(from: 0, to: range.count, by: Self.blockByteCount) {
      let block = start..<start + Self.blockByteCount
      let isHere =
        isRead
        || (try? device.read(into: &bytes, range: block, at: range.lowerBound + start)) != nil
      if !isHere { continue }
      for at in stride(from: start, to: block.upperBound, by: ArrayEvent.byteCount) {
        guard let event = ArrayEvent(decoding: bytes.bytes, at: at, arrayID: arrayID),
          place(of: event) == at
        else { continue }
        events.append(event)
      }
    }
    return events
  }

  /// Writes records to their places. Not durable before the device's next flush.
  ///
  /// - Parameter events: in the order of their sequence numbers.
  func write(_ events: [ArrayEvent]) throws(DeviceError) {
    var buffer = AlignedBuffer(byteCount: Self.blockByteCount)
    var rest = events.suffix(capacity)
    while let first = rest.first {
      let start = place(of: first) / Self.blockByteCount * Self.blockByteCount
      var bytes = buffer.mutableBytes
      do {
        try device.read(into: &bytes, range: 0..<Self.blockByteCount, at: range.lowerBound + start)
      } catch .unreadable {
        bytes.zero()  // what it held is lost, and writing makes it readable
      }
      // Those that follow each other share blocks.
      while let event = rest.first, case let at = place(of: event) - start,
        (0..<Self.blockByteCount).contains(at)
      {
        event.encode(into: &bytes, at: at, arrayID: arrayID)
        rest = rest.dropFirst()
      }
      try device.write(
        bytes.bytes, range: 0..<Self.blockByteCount, at: range.lowerBound + start)
    }
  }

  private func place(of event: ArrayEvent) -> Int {
    Int(event.sequence % UInt64(capacity)) * ArrayEvent.byteCount
  }
}

extension [ArrayEvent] {
  /// All members' events as one history: by sequence number, each once. Members that went their own ways
  /// may have different ones of the same number.
  static func merging(_ rings: [[ArrayEvent]]) -> [ArrayEvent] {
    Set(rings.joined()).sorted {
      ($0.sequence, $0.seconds, $0.microseconds, $0.kind.rawValue)
        < ($1.sequence, $1.seconds, $1.microseconds, $1.kind.rawValue)
    }
  }
}

extension MemberProbe {
  /// Whether it has room for a history.
  package var keepsEvents: Bool { eventRing != nil }

  fileprivate var eventRing: EventRing? {
    EventRing(device, region: header?.range(of: .events), arrayID: superblock.arrayID)
  }
}

extension [MemberProbe] {
  /// The history of the array that these are members of, as far as they tell it, oldest first.
  package var events: [ArrayEvent] {
    .merging(map { $0.eventRing?.read() ?? [] })
  }
}

extension Member {
  /// nil where there is no room for one.
  var eventRing: EventRing? {
    let (arrayID, region) = record.state.withLock {
      ($0.superblock.arrayID, $0.header?.range(of: .events))
    }
    return EventRing(device, region: region, arrayID: arrayID)
  }
}
