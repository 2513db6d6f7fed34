import BlockStorage
import RaidGeometry

extension RaidArray {
  /// How many array bytes there are of which is known, without reading anything, that nobody has them: too many of those
  /// who would be needed list them as bad, or are not there. 0 while a reshape runs.
  package var listedLossByteCount: Int { listedLosses.count * 4096 }

  /// The blocks of 4096 of these, by the array bytes at which they begin, in order.
  var listedLosses: [Int] {
    guard segments.count == 1 else { return [] }
    let slots = members.slots
    func hasReader(_ slot: Int, _ offset: Int) -> Bool {
      slots[slot].reader(of: offset..<offset + 4096) != nil
    }
    var lost: Set<Int> = []
    for (slot, holders) in slots.enumerated() {
      for listed in holders.writable.flatMap(\.listedBlocks) {
        for offset in stride(from: listed.lowerBound / 4096 * 4096, to: listed.upperBound, by: 4096)
        where !hasReader(slot, offset) {
          switch segments[0].data {
          case .parity(let stripes):
            let placement = stripes.placement
            let row = offset / placement.chunkByteCount
            guard row < placement.rowCount else { continue }
            let unknown = slots.indices.filter { !hasReader($0, offset) }
            guard unknown.count > placement.parityCount else { continue }
            let pattern = placement.pattern(ofRow: row)
            for case .data(let column) in unknown.map({ pattern.roles[$0] }) {
              lost.insert(
                row * placement.rowByteCount + column * placement.chunkByteCount
                  + offset % placement.chunkByteCount)
            }
          case .copies(let copies):
            guard
              let found = copies.placement.arrayRange(
                at: .init(slot: slot, offset: offset), limit: 4096)
            else { continue }
            var places: [CopyPlacement.Place] = []
            _ = copies.placement.locate(found.offset, into: &places)
            if !places.contains(where: { hasReader($0.slot, $0.offset) }) {
              lost.insert(found.offset)
            }
          }
        }
      }
    }
    return lost.sorted()
  }
}
