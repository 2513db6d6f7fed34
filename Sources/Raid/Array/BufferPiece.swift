/// Part of the array as it lies in a working buffer.
struct BufferPiece {
  /// Array bytes.
  var arrayRange: Range<Int>
  /// Where they start in the buffer.
  var place: Int
}
