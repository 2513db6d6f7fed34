import BinaryCodec

// The file as ddrescue's manual has it (info ddrescue, "Mapfile structure"): comments, a line with the
// position, a letter and the number of the pass, then a line for each piece: where it starts, its size,
// its letter. A comment of ours names the array.
//
//     # Mapfile. Created by ftool 0.1.0
//     # Array: 0a1b2c3d:… here:photos
//     # current_pos  current_status  current_pass
//     0x00000000     +               1
//     #      pos        size  status
//     0x00000000  0x00100000  +
//     0x00100000  0x00010000  -

extension RescueMap {
  /// Hands the lines of the file to `body`, some KiB at a time.
  ///
  /// - Parameters:
  ///   - comments: lines that stand in front, without their `#`.
  ///   - array: what names the array: a UUID, or a layout that was assumed.
  ///   - position: how far the pass came, in array bytes; nil when it came to its end.
  package func write<Failure: Error>(
    comments: [String], array: String, position: Int?,
    _ body: ([UInt8]) throws(Failure) -> Void
  ) throws(Failure) {
    var text = comments.map { "# \($0)\n" }.joined()
    text += "# \(Self.nameLabel) \(array)\n"
    text += "# current_pos  current_status  current_pass\n"
    text +=
      "\(Self.hexadecimal(position ?? 0))     \(position == nil ? "+" : "?")               1\n"
    text += "#      pos        size  status\n"
    var bytes = Array(text.utf8)
    for index in 0..<count {
      let piece = self[index]
      bytes += Self.hexadecimal(piece.range.lowerBound).utf8
      bytes += "  ".utf8
      bytes += Self.hexadecimal(piece.range.count).utf8
      bytes += [0x20, 0x20, piece.status.rawValue, 0x0a]
      if bytes.count >= 256 << 10 {
        try body(bytes)
        bytes.removeAll(keepingCapacity: true)
      }
    }
    try body(bytes)
  }

  fileprivate static let nameLabel = "Array:"

  /// As ddrescue writes them: `0x` and eight digits at least.
  private static func hexadecimal(_ value: Int) -> String {
    let digits = String(value, radix: 16, uppercase: true)
    return "0x" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }
}

/// Reads a map's file, however it is cut into parts. It may be anything: nothing of it is believed.
package struct RescueMapReader {
  /// What the file says of the array; nil where it says nothing.
  package private(set) var array: String?
  private var map = RescueMap()
  private var line: [UInt8] = []
  private var lineNumber = 1
  private var hasStatus = false

  private static let lineLimit = 4096

  package init() {}

  /// Takes the next bytes of the file.
  package mutating func feed(_ bytes: [UInt8]) throws(RescueMapError) {
    for byte in bytes {
      if byte == UInt8(ascii: "\n") {
        try endLine()
      } else {
        guard line.count < Self.lineLimit else { throw .malformed(line: lineNumber, .tooLong) }
        line.append(byte)
      }
    }
  }

  /// The map, when all of the file has been fed.
  ///
  /// - Parameters:
  ///   - array: what the map must name.
  ///   - byteCount: what it must tell of.
  package mutating func finish(
    ofArray array: String, byteCount: Int
  ) throws(RescueMapError) -> RescueMap {
    let map = try finish()
    guard let named = self.array else { throw .unnamed }
    guard named == array else { throw .foreign(named) }
    guard map.byteCount == byteCount else {
      throw .otherSize(has: map.byteCount, needs: byteCount)
    }
    return map
  }

  /// The map, when all of the file has been fed, whoever wrote it and whatever it is of.
  package mutating func finish() throws(RescueMapError) -> RescueMap {
    try endLine()
    guard hasStatus, map.count > 0 else { throw .malformed(line: lineNumber - 1, .missing) }
    return map
  }

  private mutating func endLine() throws(RescueMapError) {
    defer {
      line.removeAll(keepingCapacity: true)
      lineNumber += 1
    }
    // A comment begins with its sign, wherever that stands.
    let comment = line.firstIndex(of: UInt8(ascii: "#"))
    if let comment { readName(line[(comment + 1)...]) }
    let words = line[..<(comment ?? line.count)].split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
    if words.isEmpty { return }
    if !hasStatus { return try readStatus(words) }
    guard words.count == 3 else { throw .malformed(line: lineNumber, .words) }
    let start = try number(words[0])
    let size = try number(words[1])
    guard words[2].count == 1, let status = RescueMap.Status(rawValue: words[2].first!) else {
      throw .malformed(line: lineNumber, .status)
    }
    guard start == map.byteCount else { throw .malformed(line: lineNumber, .gap) }
    guard size < 1 << 60 - start else { throw .malformed(line: lineNumber, .number) }
    map.append(start + size, status)
  }

  private mutating func readStatus(_ words: [ArraySlice<UInt8>]) throws(RescueMapError) {
    guard words.count == 2 || words.count == 3 else { throw .malformed(line: lineNumber, .words) }
    _ = try number(words[0])
    guard words[1].count == 1, "?*/-FG+".utf8.contains(words[1].first!) else {
      throw .malformed(line: lineNumber, .status)
    }
    if words.count == 3 { _ = try number(words[2]) }
    hasStatus = true
  }

  private mutating func readName(_ comment: ArraySlice<UInt8>) {
    let label = Array((" " + RescueMap.nameLabel + " ").utf8)
    guard array == nil, comment.starts(with: label) else { return }
    var name = comment.dropFirst(label.count)
    while let last = name.last, last == 0x20 || last == 0x0d { name = name.dropLast() }
    array = String(decoding: name, as: UTF8.self)
  }

  /// A number as C writes them: hexadecimal, octal or decimal, and not negative.
  private func number(_ word: ArraySlice<UInt8>) throws(RescueMapError) -> Int {
    let text = String(decoding: word, as: UTF8.self)
    let value: Int? =
      if text.hasPrefix("0x") || text.hasPrefix("0X") {
        Int(text.dropFirst(2), radix: 16)
      } else if text.count > 1, text.hasPrefix("0") {
        Int(text, radix: 8)
      } else {
        Int(text)
      }
    let isSigned = word.contains(UInt8(ascii: "+")) || word.contains(UInt8(ascii: "-"))
    guard let value, !isSigned, value < 1 << 60 else {
      throw .malformed(line: lineNumber, .number)
    }
    return value
  }
}
