import BinaryCodec
import CheckpointFormat
import Compression
import FToolTestSupport
import LinuxSystem
import Testing

/// Images whose checksums are right and whose fields are not.
@Suite struct HostileImageTests {
  /// An image with one block as its second frame, with some bytes of a frame's head or payload changed, and
  /// all checksums made anew.
  private static func forge(
    frame number: Int, _ change: (inout ForgedFrame) -> Void
  ) throws -> ImageError? {
    var block = SampleImage.Block(space: 1, runs: [[0x7000, 2]], bytes: [])
    block.bytes = [UInt8](repeating: 7, count: 8192)
    let sample = SampleImage(
      state: [1, 2, 3], blocks: [block], contents: [],
      references: [
        PageReference(
          place: PagePlace(space: 1, address: 0x8000), pageCount: 1,
          source: PagePlace(space: 1, address: 0x7000))
      ])
    var forged = ForgedImage(try sample.encoded(codec: CodecSetting(.none)))
    change(&forged.frames[number])
    let scratch = try ScratchDirectory()
    do {
      try ImageReader(openFile(of: forged.sealed(), in: scratch)).verify(workers: 1)
      return nil
    } catch let error as ImageError {
      return error
    }
  }

  /// State, block, references, index.
  private static let block = 1
  private static let blockOffset = 64 + 48 + 3

  @Test func `an image that is sealed anew is as good as before`() throws {
    #expect(try Self.forge(frame: 0) { _ in } == nil)
  }

  @Test(arguments: [
    (0, UInt32(9), ImageField.kind),  // kind 9, without the flag that it may be skipped
    (2, 4, .codec), (2, 3, .storedCount), (3, 1, .flags), (3, 64, .flags),
    (8, 5, .sequence), (16, 1, .position),
    (24, 0, .tableCount), (24, 1040, .tableCount), (24, 0xffff_ffff, .tableCount),
    (28, 0xffff_ffff, .storedCount), (28, 8191, .storedCount), (28, 0, .storedCount),
    (32, 0xffff_ffff, .rawCount), (32, 262145, .rawCount), (32, 0, .storedCount),
    (40, 1, .reserved),
  ])
  func `a head that makes no sense is refused`(
    offset: Int, value: UInt32, field: ImageField
  ) throws {
    let error = try Self.forge(frame: Self.block) { frame in
      switch offset {
      case 0: frame.head.withMutableRawBytes { $0.store(UInt16(value), at: 0) }
      case 2, 3: frame.head[offset] = UInt8(value)
      default: frame.head.withMutableRawBytes { $0.store(value, at: offset) }
      }
    }
    #expect(error == .malformed(field, offset: Self.blockOffset))
  }

  @Test func `a frame that may be skipped is`() throws {
    // It is no block any more, so that totals and index disagree; but the frame itself is accepted.
    let error = try Self.forge(frame: Self.block) { frame in
      frame.head.withMutableRawBytes { $0.store(UInt16(700), at: 0) }
      frame.head[3] = 128
    }
    guard case .malformed(.totals, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test(arguments: [
    (0, UInt64(0x7001)),  // inside a page
    (0, 0xffff_ffff_ffff_f000),  // beyond the end of everything
    (8, 1), (8, 3), (8, 0), (8, 0xffff_ffff), (8, 0x1_0000_0002),
  ])
  func `runs that are not what the block holds are refused`(offset: Int, value: UInt64) throws {
    let error = try Self.forge(frame: Self.block) { frame in
      frame.payload.withMutableRawBytes { $0.store(value, at: offset) }
    }
    #expect(error == .malformed(.runs, offset: Self.blockOffset))
  }

  @Test func `runs that overlap or go back are refused`() throws {
    for second in [UInt64(0x7000), 0x6000, 0] {
      let error = try Self.forge(frame: Self.block) { frame in
        var table = [UInt8](repeating: 0, count: 32)
        table.withMutableRawBytes { table in
          table.store(UInt64(0x7000), at: 0)
          table.store(UInt32(1), at: 8)
          table.store(second, at: 16)
          table.store(UInt32(1), at: 24)
        }
        frame.payload.replaceSubrange(0..<16, with: table)
        frame.head.withMutableRawBytes { $0.store(UInt32(32), at: 24) }
      }
      #expect(error == .malformed(.runs, offset: Self.blockOffset))
    }
  }

  @Test(arguments: [
    (8, UInt64(1)), (4, UInt64(0)), (24, UInt64(0xffff_ffff_ffff_f000)),
    (20, UInt64(0x1_0000_0001)),
  ])
  func `references to what cannot be are refused`(offset: Int, value: UInt64) throws {
    let error = try Self.forge(frame: 2) { frame in
      frame.payload.withMutableRawBytes { bytes in
        if offset == 4 {
          bytes.store(UInt32(0), at: 4)
        } else {
          bytes.store(value, at: offset)
        }
      }
    }
    guard case .malformed(.references, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func `an index that says something else is refused`() throws {
    for byte in [0, 2, 4, 8, 16, 24, 32, 36, 40, 119] {
      let error = try Self.forge(frame: 3) { $0.payload[byte] ^= 1 }
      guard case .malformed(.index, _) = error else {
        Issue.record("byte \(byte): \(String(describing: error))")
        continue
      }
    }
  }

  @Test func `a state without an end is refused`() throws {
    let first = try Self.forge(frame: 0) { $0.head[3] = 0 }
    #expect(first == .malformed(.order, offset: Self.blockOffset))
    let empty = try Self.forge(frame: 0) { frame in
      frame.head[3] = 0
      frame.payload = []
      frame.head.withMutableRawBytes { head in
        head.store(UInt32(0), at: 28)
        head.store(UInt32(0), at: 32)
      }
    }
    #expect(empty == .malformed(.rawCount, offset: 64))
  }
}
