/// Adds (exclusive or) one range of a buffer to another: `buffer[target...] ^= buffer[source...]`, of `byteCount` bytes each.
/// The ranges do not overlap.
package func xor(
  in buffer: inout MutableRawSpan, at target: Int, with source: Int, byteCount: Int
) {
  let sources = [1 of Int](repeating: source)
  let outputs = [1 of Int](repeating: target)
  sumOfOne.apply(
    in: &buffer, sources: sources.span, outputs: outputs.span, byteCount: byteCount,
    accumulating: true)
}

private let sumOfOne = CodingPlan(coefficients: [[1]])
