/// What one or more writes left in a pipe.
package struct PipePiece: Sendable, Equatable {
  package var bytes: [UInt8]
  /// Whether a read(2) ends with it, and throws away what it had no room for: its writer had O_DIRECT then.
  package var isPacket: Bool

  package init(_ bytes: [UInt8], isPacket: Bool) {
    self.bytes = bytes
    self.isPacket = isPacket
  }
}

extension OwnedDescriptor {
  /// What has been written to this pipe and not been read, left in it. `capacity` in bytes is the pipe's.
  package borrowing func pipeContent(capacity: Int) throws(SystemCallError) -> [PipePiece] {
    let copy = try Pipe(holding: capacity)
    var left = try copy.copyContent(of: self, limit: capacity)
    var pieces: [PipePiece] = []
    while left > 0 {
      // A packet ends a read, but what is no packet goes with it. Nobody tells which is which but read(2) itself.
      let packet = try PacketSearch(pipe: copy, count: left, capacity: capacity).firstPacketStart()
      if packet != 0 {
        pieces.append(PipePiece(try copy.readPiece(limit: packet ?? left), isPacket: false))
      }
      if packet != nil {
        pieces.append(PipePiece(try copy.readPiece(limit: left), isPacket: true))
      }
      left = try copy.unreadByteCount()
    }
    return pieces
  }
}

/// Tries on copies of a pipe what a read(2) of it would do. `count`: the bytes in it; `capacity`: its own.
private struct PacketSearch {
  let pipe: Pipe
  let count: Int
  let capacity: Int

  /// How many bytes come before the first packet; nil if there is none.
  func firstPacketStart() throws(SystemCallError) -> Int? {
    if try removal(by: 1) > 1 { return 0 }
    let first = try removal(by: count)
    // What is read in part goes as a whole: who reads fewer bytes than these and yet takes all has met a packet.
    guard first > 1, try removal(by: first - 1) == first else {
      return try isPacket(at: first - 1) ? first - 1 : nil
    }
    var (before, after) = (1, first - 1)
    while after - before > 1 {
      let middle = (before + after) / 2
      if try removal(by: middle) == first { after = middle } else { before = middle }
    }
    return before
  }

  /// How many bytes are gone after a read(2) of so many.
  private func removal(by limit: Int) throws(SystemCallError) -> Int {
    let copy = try copy()
    _ = try copy.readPiece(limit: limit)
    return count - (try copy.unreadByteCount())
  }

  /// Whether the single byte with which a read(2) ends is a packet: then the next byte does not come with it.
  private func isPacket(at position: Int) throws(SystemCallError) -> Bool {
    let copy = try copy()
    if position > 0 { _ = try copy.readPiece(limit: position) }
    if try copy.unreadByteCount() == 1 { try copy.fill([PipePiece([0], isPacket: false)]) }
    return try copy.readPiece(limit: 2).count == 1
  }

  private func copy() throws(SystemCallError) -> Pipe {
    let copy = try Pipe(holding: capacity)
    try copy.copyContent(of: pipe, limit: capacity)
    return copy
  }
}

extension Pipe {
  /// One that has room for the content of another, whose capacity that is.
  fileprivate convenience init(holding capacity: Int) throws(SystemCallError) {
    try self.init(capacity: capacity > Self.usualCapacity ? capacity : nil)
  }

  private static var usualCapacity: Int { 1 << 16 }
}
