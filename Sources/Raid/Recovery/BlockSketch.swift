import BinaryCodec

/// What is remembered of a block to judge, without its bytes, whether another may follow it.
struct BlockSketch {
  /// One end of a block.
  struct End {
    var isZero: Bool
    /// The least hashes of its groups of four bytes, ascending: two ends that share words share some.
    var hashes: [UInt32]
    /// How many bytes of each class: zeros, controls, blanks, digits, letters, signs, high ones.
    var classes: SIMD8<Int16>
    /// The decimal number nearest to the block's edge, if one is in it, and its digits.
    var number: Int?
    var digitCount = 0
  }

  static let endByteCount = 512

  var isZero: Bool
  /// A hash of all bytes; 0 for a block of zeros.
  var identity: UInt64
  var head: End
  var tail: End

  init(_ block: [UInt8]) {
    let bytes = block.rawBytes
    isZero = bytes.allZero
    let count = min(Self.endByteCount, block.count)
    if isZero {
      identity = 0
      head = End(isZero: true, hashes: [], classes: .zero, number: nil)
      tail = head
    } else {
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325
      for offset in stride(from: 0, to: bytes.byteCount & ~7, by: 8) {
        hash = (hash ^ bytes.integer(at: offset, as: UInt64.self)) &* 0x9e37_79b9_7f4a_7c15
        hash ^= hash >> 29
      }
      identity = hash | 1
      head = Self.end(bytes, 0..<count, isTail: false)
      tail = Self.end(bytes, block.count - count..<block.count, isTail: true)
    }
  }

  private static func end(_ bytes: RawSpan, _ range: Range<Int>, isTail: Bool) -> End {
    var classes = SIMD8<Int16>.zero
    var least = [UInt32](repeating: .max, count: 12)
    var digits = 0
    var value = 0
    var number: (value: Int, digits: Int)?
    func endRun() {
      if digits >= 3, digits <= 18, isTail || number == nil { number = (value, digits) }
      digits = 0
      value = 0
    }
    var group: UInt32 = 0
    for offset in range {
      let byte: UInt8 = bytes.integer(at: offset)
      let kind = classTable[Int(byte)]
      classes[Int(kind)] += 1
      if kind == 3 {
        digits += 1
        value = value &* 10 &+ Int(byte - 48)
      } else if digits > 0 {
        endRun()
      }
      group = group << 8 | UInt32(byte)
      if offset - range.lowerBound >= 3, group != 0 {
        let hash = group &* 0x9e37_79b1
        if hash < least[11] { insert(hash, into: &least) }
      }
    }
    endRun()
    return End(
      isZero: classes[0] == range.count, hashes: least.filter { $0 != .max }, classes: classes,
      number: number?.value, digitCount: number?.digits ?? 0)
  }

  private static func insert(_ hash: UInt32, into least: inout [UInt32]) {
    var place = 11
    while place > 0, least[place - 1] >= hash {
      if least[place - 1] == hash { return }
      place -= 1
    }
    least.insert(hash, at: place)
    least.removeLast()
  }

  private static let classTable: [UInt8] = (0..<256).map { byte in
    switch byte {
    case 0: 0
    case 9, 10, 13, 32: 2
    case 1..<32, 127: 1
    case 48...57: 3
    case 65...90, 97...122: 4
    case 128...: 6
    default: 5
    }
  }
}

extension BlockSketch.End {
  static let likenessCount = 3 + 24

  /// How much the start of a block is like the end of another, as the number of a class.
  func likeness(to head: BlockSketch.End) -> Int {
    if isZero || head.isZero { return isZero ? (head.isZero ? 0 : 1) : 2 }
    var shared = 0
    var (i, j) = (0, 0)
    while i < hashes.count, j < head.hashes.count {
      if hashes[i] == head.hashes[j] {
        shared += 1
        i += 1
        j += 1
      } else if hashes[i] < head.hashes[j] {
        i += 1
      } else {
        j += 1
      }
    }
    let words =
      shared == 0 ? 0 : shared == 1 ? 1 : shared == 2 ? 2 : shared <= 4 ? 3 : shared <= 8 ? 4 : 5
    let difference = classes &- head.classes
    var distance = 0
    for index in 0..<8 { distance += abs(Int(difference[index])) }
    let mixture = distance < 64 ? 0 : distance < 192 ? 1 : distance < 448 ? 2 : 3
    return 3 + words * 4 + mixture
  }

  static let advanceCount = 9

  /// How the number at the start of a block goes on from that at the end of another.
  func advance(to head: BlockSketch.End) -> Int {
    guard let number, let next = head.number else { return 0 }
    guard digitCount == head.digitCount else { return 8 }
    switch next &- number {
    case 0: return 1
    case 1: return 2
    case 2...16: return 3
    case 17...1000: return 4
    case 1001...: return 5
    case -1000 ... -1: return 6
    default: return 7
    }
  }
}
