import BinaryCodec

/// A member's partial parity log: one area with one header after the other, of which the newest says
/// what was being written when the power went.
package struct MDPartialParityLog: Sendable {
  /// The array's: a header with the signature of another is none of this log.
  package let arrayID: Identifier
  /// The area's length.
  package let areaByteCount: Int

  package init(arrayID: Identifier, areaByteCount: Int) {
    self.arrayID = arrayID
    self.areaByteCount = areaByteCount
  }

  /// What looking for the newest header came to.
  package enum Finding: Equatable, Sendable {
    /// The newest header, and the byte of the area where it begins. It may have no entries.
    case newest(MDPartialParityHeader, byteOffset: Int)
    /// The area does not begin with a header of this array: the log says nothing, and parity must be
    /// worked out anew everywhere.
    case none(MDPartialParityError)
  }

  /// Looks for the newest header (Linux: `ppl_load_distributed`): headers follow one another, each
  /// behind the partial parities of the one before it, and the newest is the last before one that is
  /// not valid or older. Every step goes forwards by at least a header, so this ends.
  ///
  /// `read` fills the bytes that it is given from the area's byte `offset` on.
  package func findNewest<Failure: Error>(
    read: (_ offset: Int, _ bytes: inout MutableRawSpan) throws(Failure) -> Void
  ) throws(Failure) -> Finding {
    var block = [UInt8](repeating: 0, count: MDPartialParityHeader.byteCount)
    var finding = Finding.none(.truncated(byteCount: areaByteCount))
    var offset = 0
    while offset < areaByteCount - MDPartialParityHeader.byteCount {
      try block.withMutableRawBytes { (bytes) throws(Failure) in try read(offset, &bytes) }
      let header: MDPartialParityHeader
      do throws(MDPartialParityError) {
        header = try decode(block.rawBytes, at: offset)
      } catch {
        if case .none = finding { finding = .none(error) }
        break
      }
      if case .newest(let previous, _) = finding, previous.generation > header.generation { break }
      finding = .newest(header, byteOffset: offset)
      offset += header.byteCountWithParities
    }
    return finding
  }

  /// A header at a place: its partial parities must be inside the area too.
  private func decode(
    _ block: RawSpan, at offset: Int
  ) throws(MDPartialParityError) -> MDPartialParityHeader {
    let header = try MDPartialParityHeader(decoding: block, arrayID: arrayID)
    var end = offset + MDPartialParityHeader.byteCount
    for (index, entry) in header.entries.enumerated() {
      end += entry.partialParityByteCount
      guard end <= areaByteCount else { throw .invalid(entry: index) }
    }
    return header
  }
}
