import Glibc

/// Numbers that nobody can guess, from the kernel, many with each call.
package struct RandomBytes: RandomNumberGenerator {
  /// What getentropy(3) gives at most, in numbers.
  private static let count = 32

  private var numbers: [UInt64] = []

  package init() {}

  package mutating func next() -> UInt64 {
    if let number = numbers.popLast() { return number }
    numbers = Array(repeating: 0, count: Self.count)
    // Safe: the array's own memory, all of it, in which every value is a number.
    let result = unsafe numbers.withUnsafeMutableBytes {
      unsafe getentropy($0.baseAddress, $0.count)
    }
    // The kernel of every machine that this runs on has it.
    precondition(result == 0, "getentropy failed")
    return numbers.removeLast()
  }
}
