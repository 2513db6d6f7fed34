import BinaryCodec

/// Which bit stands for what, and the bits in an area: all bytes from the header on.
extension MDBitmapHeader {
  /// Sectors that a bit stands for.
  package var chunkSectors: Int { Int(chunkByteCount / 512) }

  /// Bits in use: one for each chunk, the last perhaps for less.
  package var bitCount: Int {
    let (whole, rest) = Int(syncSizeSectors).quotientAndRemainder(dividingBy: chunkSectors)
    return rest == 0 ? whole : whole + 1
  }

  /// Header and bits in bytes, rounded up to the 4 KiB in which bitmaps are read and written.
  package var byteCountOnDisk: Int { (Self.byteCount + (bitCount + 7) / 8 + 4095) & ~4095 }

  /// The sectors that a bit stands for.
  package func sectors(ofBit bit: Int) -> Range<Int> { sectors(ofBits: bit..<bit + 1) }

  /// The sectors that some neighbouring bits stand for.
  package func sectors(ofBits bits: Range<Int>) -> Range<Int> {
    precondition(bits.lowerBound >= 0 && bits.upperBound <= bitCount, "bit beyond the bitmap")
    let end = Int(syncSizeSectors)
    return bits.lowerBound * chunkSectors..<min(bits.upperBound * chunkSectors, end)
  }

  /// The bits that stand for at least one of `sectors`, which must lie inside the covered size.
  package func bits(forSectors sectors: Range<Int>) -> Range<Int> {
    precondition(
      sectors.lowerBound >= 0 && sectors.upperBound <= Int(syncSizeSectors),
      "sectors beyond the bitmap")
    let first = sectors.lowerBound / chunkSectors
    guard !sectors.isEmpty else { return first..<first }
    return first..<(sectors.upperBound - 1) / chunkSectors + 1
  }

  /// The byte of the area in which a bit is.
  package static func byteOffset(ofBit bit: Int) -> Int { byteCount + bit / 8 }

  /// Whether the chunk of this bit may be out of sync. `area` is the header with the bits behind it.
  package static func isSet(bit: Int, in area: RawSpan) -> Bool {
    area.integer(at: byteOffset(ofBit: bit), as: UInt8.self) & 1 << UInt8(bit % 8) != 0
  }

  /// Sets or clears one bit. Returns whether that changed it.
  @discardableResult
  package static func set(bit: Int, to value: Bool, in area: inout MutableRawSpan) -> Bool {
    let offset = byteOffset(ofBit: bit)
    let old: UInt8 = area.bytes.integer(at: offset)
    let mask: UInt8 = 1 << UInt8(bit % 8)
    let new = value ? old | mask : old & ~mask
    area.store(new, at: offset)
    return new != old
  }

  /// The first run of neighbouring set bits that ends behind `start`, cut off before it; nil when
  /// no more are set. Bits beyond `bitCount` are not looked at, and neither is what `area` is too
  /// short for. Takes time for what it passes over, 64 bits at a step.
  package func nextSetRun(in area: RawSpan, from start: Int = 0) -> Range<Int>? {
    let limit = min(bitCount, max(0, area.byteCount - Self.byteCount).clampedProduct(8))
    guard let first = Self.firstBit(equal: true, in: area, from: start, limit: limit) else {
      return nil
    }
    return first..<(Self.firstBit(equal: false, in: area, from: first, limit: limit) ?? limit)
  }

  private static func firstBit(
    equal value: Bool, in area: RawSpan, from start: Int, limit: Int
  ) -> Int? {
    let boring: UInt64 = value ? 0 : .max
    var bit = start
    while bit < limit {
      if bit % 64 == 0, limit - bit >= 64,
        area.integer(at: byteOffset(ofBit: bit), as: UInt64.self) == boring
      {
        bit += 64
      } else if isSet(bit: bit, in: area) == value {
        return bit
      } else {
        bit += 1
      }
    }
    return nil
  }

  /// Number of set bits among those in use, as far as `area` reaches.
  package func setBitCount(in area: RawSpan) -> Int {
    var count = 0
    var start = 0
    while let run = nextSetRun(in: area, from: start) {
      count += run.count
      start = run.upperBound
    }
    return count
  }
}

extension Int {
  fileprivate func clampedProduct(_ factor: Int) -> Int {
    let (product, overflow) = multipliedReportingOverflow(by: factor)
    return overflow ? .max : product
  }
}
