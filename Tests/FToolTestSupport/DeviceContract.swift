import BlockStorage
import LinuxSystem
import SystemPackage

/// What every block device must do, run against each of them.
package enum DeviceContract {
  /// What a device of this contract's size did wrong; nothing, if all is well.
  ///
  /// `make` gets a size, a multiple of 64 KiB, and returns a device of that size whose bytes may be
  /// anything and will be overwritten.
  package static func violations(
    seed: UInt64 = 1, _ make: (_ byteCount: Int) throws -> any BlockDevice
  ) throws -> [String] {
    let byteCount = 1 << 20
    var check = Check(device: try make(byteCount), seed: seed)
    if check.device.byteCount != byteCount {
      return ["it has \(check.device.byteCount) bytes, not \(byteCount)"]
    }
    try check.keepsWhatIsWritten()
    try check.agreesWithAModel()
    try check.movesPieces()
    try check.zeroes()
    try check.refusesWhatLiesOutside()
    try check.describesExtents()
    try check.servesThreads()
    return check.violations
  }

  private struct Check {
    let device: any BlockDevice
    var random: SeededGenerator
    var violations: [String] = []

    init(device: any BlockDevice, seed: UInt64) {
      self.device = device
      random = SeededGenerator(seed: seed)
    }

    mutating func expect(_ condition: Bool, _ violation: @autoclosure () -> String) {
      if !condition { violations.append(violation()) }
    }

    mutating func keepsWhatIsWritten() throws {
      let bytes = random.bytes(device.byteCount)
      try device.write(bytes, at: 0)
      try device.flush()
      expect(try device.allBytes() == bytes, "it does not return what was written")
      try device.write([], at: 0)
      try device.write([], at: device.byteCount)
      expect(try device.bytes(device.byteCount..<device.byteCount) == [], "its end cannot be read")
      expect(try device.allBytes() == bytes, "writing nothing changed something")
    }

    /// Any offsets and counts, aligned or not, against an array.
    mutating func agreesWithAModel() throws {
      var model = try device.allBytes()
      for step in 0..<200 {
        let start = Int.random(in: 0..<device.byteCount, using: &random)
        let limit = step % 5 == 0 ? 300_000 : 5000
        let end = min(device.byteCount, start + Int.random(in: 0...limit, using: &random))
        switch Int.random(in: 0..<5, using: &random) {
        case 0, 1:
          let bytes = random.bytes(end - start)
          try device.write(bytes, at: start)
          model.replaceSubrange(start..<end, with: bytes)
        case 2:
          try device.zero(start..<end)
          model.replaceSubrange(start..<end, with: repeatElement(0, count: end - start))
        default:
          let bytes = try device.bytes(start..<end)
          expect(bytes == Array(model[start..<end]), "step \(step): \(start)..<\(end) is wrong")
        }
      }
      expect(try device.allBytes() == model, "after chance, the whole is wrong")
    }

    /// Pieces in any order and of any length, empty ones and more than 1024 among them.
    mutating func movesPieces() throws {
      for count in [0, 1, 2, 7, 1500] {
        let unit = 128
        let buffer = AlignedBuffer(random.bytes(max(1, count) * unit))
        var pieces: [Range<Int>] = []
        for index in (0..<count).shuffled(using: &random) {
          let length = [0, 1, 64, unit].randomElement(using: &random)!
          pieces.append(index * unit..<index * unit + length)
        }
        let expected = pieces.flatMap { buffer.array[$0] }
        let offset = Int.random(in: 0...4096, using: &random)
        try device.write(buffer.bytes, pieces: pieces, at: offset)
        let written = try device.bytes(offset..<offset + expected.count)
        expect(written == expected, "\(count) pieces are written wrongly")

        var target = AlignedBuffer(byteCount: buffer.byteCount)
        var span = target.mutableBytes
        try device.read(into: &span, pieces: pieces, at: offset)
        expect(pieces.flatMap { target.array[$0] } == expected, "\(count) pieces are read wrongly")
        let touched = pieces.reduce(into: Set<Int>()) { $0.formUnion($1) }
        let others = target.array.enumerated().filter { !touched.contains($0.offset) }
        expect(others.allSatisfy { $0.element == 0 }, "reading pieces wrote between them")
      }
    }

    mutating func zeroes() throws {
      let size = device.byteCount
      for range in [0..<0, 0..<512, 1..<2, 511..<1025, 4096..<12288, 100..<70_001, size - 1..<size]
      {
        let bytes = [UInt8](repeating: 0xa5, count: range.count + 2)
        let start = max(0, range.lowerBound - 1)
        let around = start..<min(size, start + bytes.count)
        try device.write(Array(bytes.prefix(around.count)), at: start)
        try device.zero(range)
        let found = try device.bytes(around)
        let expected = around.map { range.contains($0) ? 0 : UInt8(0xa5) }
        expect(found == expected, "zeroing \(range) does not, or touches more")
      }
      try device.zero(0..<size)
      expect(try device.allBytes().allSatisfy { $0 == 0 }, "zeroing all of it does not")
    }

    mutating func refusesWhatLiesOutside() throws {
      let size = device.byteCount
      let before = try device.allBytes()
      for (offset, count) in [(size, 1), (size - 1, 2), (size + 4096, 512), (Int.max - 1, 2)] {
        let buffer = AlignedBuffer(byteCount: count)
        var target = AlignedBuffer(byteCount: count)
        var span = target.mutableBytes
        expect(
          isTruncated { () throws(DeviceError) in
            try device.read(into: &span, range: 0..<count, at: offset)
          }, "reading \(count) at \(offset) is not refused")
        var pieceSpan = target.mutableBytes
        expect(
          isTruncated { () throws(DeviceError) in
            try device.read(into: &pieceSpan, pieces: [0..<1, 1..<count], at: offset)
          }, "reading pieces at \(offset) is not refused")
        expect(
          isTruncated { () throws(DeviceError) in
            try device.write(buffer.bytes, range: 0..<count, at: offset)
          }, "writing \(count) at \(offset) is not refused")
        expect(
          isTruncated { () throws(DeviceError) in
            try device.write(buffer.bytes, pieces: [0..<1, 1..<count], at: offset)
          }, "writing pieces at \(offset) is not refused")
      }
      expect(
        isTruncated { () throws(DeviceError) in try device.zero(size - 1..<size + 1) },
        "zeroing past the end is not refused")
      expect(try device.allBytes() == before, "what was refused was done in part")
    }

    private func isTruncated(_ body: () throws(DeviceError) -> Void) -> Bool {
      do throws(DeviceError) {
        try body()
        return false
      } catch {
        if case .truncated = error { return true }
        return false
      }
    }

    /// Extents cover the device without gaps, and what they call a hole is zero.
    mutating func describesExtents() throws {
      let size = device.byteCount
      try device.zero(0..<size)
      try device.write([1], at: 300_000)
      try device.flush()
      let bytes = try device.allBytes()
      var offset = 0
      while offset < size {
        let extent = device.extent(at: offset, limit: size)
        guard extent.range.lowerBound == offset, !extent.range.isEmpty,
          extent.range.upperBound <= size
        else {
          violations.append("at \(offset) it describes \(extent.range)")
          return
        }
        if extent.isHole {
          expect(bytes[extent.range].allSatisfy { $0 == 0 }, "\(extent.range) is no hole")
        }
        offset = extent.range.upperBound
      }
      let short = device.extent(at: 5, limit: 6)
      expect(short.range == 5..<6, "it describes \(short.range) instead of one byte")
    }

    /// Threads that write apart from each other do not disturb each other, sharing sectors or not.
    mutating func servesThreads() throws {
      let device = device
      let count = 4
      let length = 100_001  // so that neighbours share a sector
      let failures = Monitor<[String]>([])
      runInParallel(workers: count) { worker in
        var random = SeededGenerator(seed: UInt64(worker))
        let start = worker * length
        do throws(DeviceError) {
          for _ in 0..<20 {
            let bytes = random.bytes(length)
            try device.write(bytes, at: start)
            if try device.bytes(start..<start + length) != bytes {
              failures.withLock { $0.append("thread \(worker) reads what others wrote") }
            }
          }
        } catch {
          failures.withLock { $0.append("thread \(worker): \(error)") }
        }
      }
      violations += failures.withLock { $0 }
    }
  }
}
