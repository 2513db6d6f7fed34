// Two blocks that stand side by side in a file are more alike than two that do not. How much more depends on what the
// array holds, so it is learned from the array itself: pairs that follow each other on one member (nearly all of them
// follow each other in the array, too) against pairs of two members at the same place. The logarithm of the ratio of
// the two frequencies is what a pair of that likeness says for being neighbours. Compressed or encrypted data gives
// zero everywhere: it tells nothing, and does not pretend to.

/// How likely a block follows another, as learned from the members.
struct Continuity {
  private var likeness = [Double](repeating: 0, count: BlockSketch.End.likenessCount)
  private var advance = [Double](repeating: 0, count: BlockSketch.End.advanceCount)

  /// Counts of pairs.
  struct Counts {
    var likeness = [Double](repeating: 0, count: BlockSketch.End.likenessCount)
    var advance = [Double](repeating: 0, count: BlockSketch.End.advanceCount)
    var total = 0.0

    mutating func add(_ tail: BlockSketch.End, _ head: BlockSketch.End, weight: Double = 1) {
      likeness[tail.likeness(to: head)] += weight
      advance[tail.advance(to: head)] += weight
      total += weight
    }
  }

  init(neighbours: Counts, strangers: Counts) {
    guard neighbours.total > 8, strangers.total > 8 else { return }
    func ratios(_ near: [Double], _ far: [Double], limit: Double) -> [Double] {
      zip(near, far).map { near, far in
        let p = (near + 1) / (neighbours.total + Double(self.likeness.count))
        let q = (far + 1) / (strangers.total + Double(self.likeness.count))
        return max(-limit, min(limit, logarithm(p / q)))
      }
    }
    likeness = ratios(neighbours.likeness, strangers.likeness, limit: 3)
    advance = ratios(neighbours.advance, strangers.advance, limit: 4)
    // That a number is missing, or has other digits, is not much of a sign.
    advance[0] = max(-0.5, min(0.5, advance[0]))
    advance[8] = max(-0.5, min(0.5, advance[8]))
  }

  /// Where nothing can be learned: what is so of most contents, at half weight.
  static let unlearned: Continuity = {
    var made = Continuity(neighbours: .init(), strangers: .init())
    made.likeness[0] = 0.15
    made.likeness[1] = -0.15
    made.likeness[2] = -0.1
    for (words, shared) in [-0.1, 0, 0.15, 0.3, 0.5, 0.75].enumerated() {
      for (mixture, alike) in [0.2, 0.1, -0.05, -0.3].enumerated() {
        made.likeness[3 + words * 4 + mixture] = shared + alike
      }
    }
    made.advance = [0, 0.5, 1.5, 0.4, 0.1, -0.1, -0.4, -0.4, 0]
    return made
  }()

  func weight(_ tail: BlockSketch.End, _ head: BlockSketch.End) -> Double {
    likeness[tail.likeness(to: head)] + advance[tail.advance(to: head)]
  }
}

/// The natural logarithm of a positive number. (Only `LinuxSystem` may import the C library, and this is good to 1e-9.)
func logarithm(_ value: Double) -> Double {
  precondition(value > 0)
  // value = m * 2^e with m in 0.75..<1.5; ln m = 2 artanh((m - 1) / (m + 1)).
  var exponent = Double(value.exponent)
  var m = value.significand
  if m >= 1.5 {
    m /= 2
    exponent += 1
  }
  let t = (m - 1) / (m + 1)
  let square = t * t
  var term = t
  var sum = 0.0
  for odd in stride(from: 1.0, through: 19, by: 2) {
    sum += term / odd
    term *= square
  }
  return 2 * sum + exponent * 0.693_147_180_559_945_3
}

/// e to this power; far below zero it is zero.
func exponential(_ power: Double) -> Double {
  if power < -700 { return 0 }
  let halvings = 10
  let small = power / 1024
  var sum = 1.0
  var term = 1.0
  for step in 1...12 {
    term *= small / Double(step)
    sum += term
  }
  for _ in 0..<halvings { sum *= sum }
  return sum
}
