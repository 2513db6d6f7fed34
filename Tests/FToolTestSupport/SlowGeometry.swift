/// Where md puts every chunk, stated once more: straight from the tables of md-format, without any thought
/// of speed, and without a line of the product's. Everything is counted in chunks, but for linear.
package struct SlowGeometry: Sendable {
  package struct Place: Hashable, Sendable {
    package var slot: Int
    /// Data offset on the member.
    package var offset: Int

    package init(slot: Int, offset: Int) {
      self.slot = slot
      self.offset = offset
    }
  }

  /// What a slot holds in a row.
  package enum Role: Equatable, Sendable {
    /// Column in the order of the array, exponent in Q.
    case data(column: Int, exponent: Int)
    case parity(Int)
  }

  /// md's number; 0x6563 for `ec:K+M`.
  package let level: Int
  package let layout: Int
  package let chunk: Int
  package let slotCount: Int
  /// Data bytes of each member that the array may use.
  package let sizes: [Int]

  package init(level: Int, layout: Int, chunk: Int, slotCount: Int, sizes: [Int]) {
    self.level = level
    self.layout = layout
    self.chunk = chunk
    self.slotCount = slotCount
    self.sizes = sizes
  }

  package var parityCount: Int {
    switch level {
    case 4, 5: 1
    case 6: 2
    case 0x6563: layout & 0xff
    default: 0
    }
  }

  package var rowCount: Int { sizes.min()! / chunk }
  package var dataCount: Int { slotCount - parityCount }

  package var byteCount: Int {
    switch level {
    case -1: return sizes.reduce(0) { $0 + (chunk > 0 ? $1 / chunk * chunk : $1) }
    case 0: return sizes.reduce(0) { $0 + $1 / chunk * chunk } & ~(chunk - 1)
    case 1: return sizes.min()!
    case 10:
      let (near, far) = (layout & 255, layout >> 8 & 255)
      return sizes.min()! / chunk / far * slotCount / near * chunk
    default: return rowCount * dataCount * chunk
    }
  }

  /// All places of an array byte's data; not its parity.
  package func places(of offset: Int) -> [Place] {
    switch level {
    case -1: return [concatenated(offset)]
    case 0: return [striped(offset)]
    case 1: return (0..<slotCount).map { Place(slot: $0, offset: offset) }
    case 10: return copiedStripes(offset)
    default:
      let (row, column) = (offset / chunk / dataCount, offset / chunk % dataCount)
      let slot = roles(ofRow: row).firstIndex { role in
        if case .data(column, _) = role { true } else { false }
      }
      return [Place(slot: slot!, offset: row * chunk + offset % chunk)]
    }
  }

  private func concatenated(_ offset: Int) -> Place {
    var rest = offset
    for (slot, size) in sizes.enumerated() {
      let used = chunk > 0 ? size / chunk * chunk : size
      if rest < used { return Place(slot: slot, offset: rest) }
      rest -= used
    }
    fatalError("past the end")
  }

  private func striped(_ offset: Int) -> Place {
    let used = sizes.map { $0 / chunk * chunk }
    var (arrayStart, memberStart) = (0, 0)
    while true {
      let inZone = (0..<slotCount).filter { used[$0] > memberStart }
      let zoneEnd = inZone.map { used[$0] }.min()!
      let length = (zoneEnd - memberStart) * inZone.count
      if offset < arrayStart + length {
        let number = (offset - arrayStart) / chunk
        let turn = layout == 2 ? number : offset / chunk
        return Place(
          slot: inZone[turn % inZone.count],
          offset: memberStart + number / inZone.count * chunk + (offset - arrayStart) % chunk)
      }
      arrayStart += length
      memberStart = zoneEnd
    }
  }

  private func copiedStripes(_ offset: Int) -> [Place] {
    let (near, far) = (layout & 255, layout >> 8 & 255)
    let isOffset = layout & 0x10000 != 0
    let variant = layout >> 17 & 3
    let n = slotCount
    let chunks = sizes.min()! / chunk / far * n / near
    let stride = isOffset ? 1 : (chunks * near * far + n - 1) / n / far
    // Which slots go round together.
    var sets: [[Int]] = []
    let setSize = variant == 0 ? n : variant == 1 ? n / far : near * far
    for start in Swift.stride(from: 0, to: n / setSize * setSize, by: setSize) {
      sets.append(Array(start..<start + setSize))
    }
    for slot in n / setSize * setSize..<n { sets[sets.count - 1].append(slot) }

    let virtual = offset / chunk * near
    var row = virtual / n * (isOffset ? far : 1)
    var slot = virtual % n
    var places: [Place] = []
    for _ in 0..<near {
      var (copySlot, copyRow) = (slot, row)
      places.append(Place(slot: copySlot, offset: copyRow * chunk + offset % chunk))
      for _ in 1..<max(far, 1) {
        let set = sets.first { $0.contains(copySlot) }!
        copySlot = set[(set.firstIndex(of: copySlot)! + near) % set.count]
        copyRow += stride
        places.append(Place(slot: copySlot, offset: copyRow * chunk + offset % chunk))
      }
      slot += 1
      if slot == n {
        slot = 0
        row += isOffset ? far : 1
      }
    }
    return places
  }

  /// What the slots of a row hold, for the levels with parity.
  package func roles(ofRow row: Int) -> [Role] {
    let n = slotCount
    var dataSlots: [Int] = []
    var paritySlots: [Int] = []
    var countsSlots = false
    switch level {
    case 4:
      (dataSlots, paritySlots) = (Array(0..<n - 1), [n - 1])
    case 5: (dataSlots, paritySlots) = Self.raid5(layout, row, n)
    case 6 where layout >= 16:
      (dataSlots, paritySlots) = Self.raid5(layout - 16, row, n - 1)
      paritySlots.append(n - 1)
    case 6:
      (dataSlots, paritySlots) = Self.raid6(layout, row, n)
      countsSlots = layout >= 8
    default:
      // As left-symmetric, with more parities side by side.
      let first = n - 1 - row % n
      paritySlots = (0..<parityCount).map { (first + $0) % n }
      dataSlots = (0..<dataCount).map { (first + parityCount + $0) % n }
    }
    var roles = [Role](repeating: .parity(0), count: n)
    for (index, slot) in paritySlots.enumerated() { roles[slot] = .parity(index) }
    var exponent = 0
    for step in 0..<n {
      let slot = (paritySlots.last! + 1 + step) % n
      guard let column = dataSlots.firstIndex(of: slot) else { continue }
      roles[slot] = .data(column: column, exponent: countsSlots ? slot : exponent)
      exponent += 1
    }
    return roles
  }

  private static func raid5(_ layout: Int, _ row: Int, _ n: Int) -> ([Int], [Int]) {
    let k = row % n
    let p = [n - 1 - k, k, n - 1 - k, k, 0, n - 1][layout]
    let data = (0..<n - 1).map { i in
      switch layout {
      case 0, 1: i >= p ? i + 1 : i
      case 2, 3: (p + 1 + i) % n
      case 4: i + 1
      default: i
      }
    }
    return (data, [p])
  }

  private static func raid6(_ layout: Int, _ row: Int, _ n: Int) -> ([Int], [Int]) {
    let k = layout == 9 ? (row + 1) % n : row % n
    let p: Int
    switch layout {
    case 0, 2, 9, 10: p = n - 1 - k
    case 1, 3, 8: p = k
    case 4: p = 0
    default: p = n - 2
    }
    let q: Int
    switch layout {
    case 4: q = 1
    case 5: q = n - 1
    case 10: q = (p + n - 1) % n
    default: q = (p + 1) % n
    }
    let data = (0..<n - 2).map { i in
      switch layout {
      case 0, 1, 8, 9: p == n - 1 ? i + 1 : i >= p ? i + 2 : i
      case 2, 3: (p + 2 + i) % n
      case 4: i + 2
      case 10: (p + 1 + i) % n
      default: i
      }
    }
    return (data, [p, q])
  }

  /// The layouts of a level that has parity.
  package static func parityLayouts(ofLevel level: Int) -> [Int] {
    level == 5
      ? [0, 1, 2, 3, 4, 5] : level == 6 ? [0, 1, 2, 3, 4, 5, 8, 9, 10, 16, 17, 18, 19, 20] : [0]
  }
}
