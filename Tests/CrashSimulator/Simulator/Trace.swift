/// What happened to an array and to its members, in one order: the members' writes and flushes, and between
/// them the array's, by which it is known what was acknowledged when.
package struct Trace: Sendable {
  /// What kind of thing happened.
  package enum Kind: UInt8, Sendable {
    /// Sectors of a member were written, or made zeros.
    case write
    /// A member was flushed.
    case flush
    /// A write to the array began, and ended.
    case writeBegan
    case writeEnded
    /// A flush of the array, or a close, began, and ended well.
    case flushBegan
    case acknowledged
  }

  /// One thing that happened.
  package struct Event: Sendable {
    package var kind: Kind
    /// A member's index; for events of the array the number of the write or of the flush.
    package var subject: Int
    /// What was written of a member: sectors.
    package var sectors: Range<Int>
    /// Where the content starts in the trace's bytes; nil for zeros.
    package var payload: Int?
  }

  /// Power goes off between two of them.
  package internal(set) var events: [Event] = []
  /// What was written, one write after the other.
  private(set) var bytes: [UInt8] = []

  /// What a disk writes whole or not at all.
  package static let sectorByteCount = 512

  package init() {}

  mutating func append(_ kind: Kind, _ subject: Int) {
    events.append(Event(kind: kind, subject: subject, sectors: 0..<0, payload: nil))
  }

  mutating func appendWrite(
    _ member: Int, _ sectors: Range<Int>, _ content: UnsafeRawBufferPointer?
  ) {
    events.append(
      Event(
        kind: .write, subject: member, sectors: sectors,
        payload: content == nil ? nil : bytes.count))
    if let content { bytes.append(contentsOf: content) }
  }

  mutating func removeAll() {
    events.removeAll(keepingCapacity: true)
    bytes.removeAll(keepingCapacity: true)
  }

  /// Which things happened to which sectors, but not what was written: it has times and chance in it.
  package var digest: UInt64 {
    var hash = Mixer()
    for event in events {
      hash.add(UInt64(event.kind.rawValue))
      hash.add(UInt64(event.subject))
      hash.add(UInt64(event.sectors.lowerBound))
      hash.add(UInt64(event.sectors.count))
    }
    return hash.value
  }
}
