/// One zone of a RAID 0: all members that reach so far, striped (drivers/md/raid0.c). Bytes throughout.
package struct StripeZone: Sendable, Equatable {
  /// Which member a zone's first chunk is on, where zones follow each other: Linux changed its mind twice.
  package enum Order: UInt32, Sendable {
    /// Kernels before 3.14 and, when marked in the superblock, since 5.4: counted from the array's start.
    case original = 1
    /// Kernels from 3.14 on: counted from the zone's start.
    case alternate = 2
  }

  let arrayStart: Int
  let memberStart: Int
  let memberEnd: Int
  let slots: [Int]
  let chunkByteCount: Int
  let order: Order

  /// The zones over members of these sizes, each already a multiple of the chunk.
  static func zones(memberByteCounts: [Int], chunkByteCount: Int, order: Order) -> [StripeZone] {
    var zones: [StripeZone] = []
    var arrayStart = 0
    var memberStart = 0
    for memberEnd in Set(memberByteCounts).sorted() where memberEnd > memberStart {
      let slots = memberByteCounts.indices.filter { memberByteCounts[$0] >= memberEnd }
      zones.append(
        StripeZone(
          arrayStart: arrayStart, memberStart: memberStart, memberEnd: memberEnd, slots: slots,
          chunkByteCount: chunkByteCount, order: order))
      arrayStart += (memberEnd - memberStart) * slots.count
      memberStart = memberEnd
    }
    return zones
  }

  /// How far the member of chunk number 0 of the zone is turned.
  private var turn: Int {
    order == .original ? (arrayStart / chunkByteCount) % slots.count : 0
  }

  func locate(_ offset: Int, into places: inout [CopyPlacement.Place]) -> Int {
    let chunk = (offset - arrayStart) / chunkByteCount
    let within = (offset - arrayStart) % chunkByteCount
    let slot = slots[(chunk + turn) % slots.count]
    places.append(
      .init(slot: slot, offset: memberStart + chunk / slots.count * chunkByteCount + within))
    return chunkByteCount - within
  }

  func arrayRange(at place: CopyPlacement.Place, limit: Int) -> (offset: Int, byteCount: Int)? {
    guard let index = slots.firstIndex(of: place.slot) else { return nil }
    let row = (place.offset - memberStart) / chunkByteCount
    let within = (place.offset - memberStart) % chunkByteCount
    let column = (index + slots.count - turn) % slots.count
    let offset = arrayStart + (row * slots.count + column) * chunkByteCount + within
    return (offset, min(limit, chunkByteCount - within))
  }
}
