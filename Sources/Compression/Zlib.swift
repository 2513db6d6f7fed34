import CZlib

/// A deflate stream that is begun anew for each block.
@safe
struct ZlibCompressor: ~Copyable, @unchecked Sendable {
  // Sendable: the stream has one owner. It stands at an address of its own, since zlib keeps a pointer to it.
  private let stream: UnsafeMutablePointer<z_stream>
  private let isReady: Bool

  init(level: Int) {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    let result = unsafe deflateInit_(
      stream, Int32(level), zlibVersion(), Int32(MemoryLayout<z_stream>.size))
    isReady = result == Z_OK  // else there was no memory for it
  }

  deinit {
    if isReady { unsafe deflateEnd(stream) }
    unsafe stream.deallocate()
  }

  func compress(_ source: RawSpan, into target: inout MutableRawSpan) -> Int? {
    guard isReady, unsafe deflateReset(stream) == Z_OK,
      source.byteCount <= Int(UInt32.max), target.byteCount <= Int(UInt32.max)
    else { return nil }
    let result = unsafe zlibRun(stream, from: source, into: &target) {
      unsafe deflate($0, Z_FINISH)
    }
    return result == Z_STREAM_END ? target.byteCount - Int(unsafe stream.pointee.avail_out) : nil
  }
}

/// An inflate stream that is begun anew for each block.
@safe
struct ZlibDecompressor: ~Copyable, @unchecked Sendable {
  // As above.
  private let stream: UnsafeMutablePointer<z_stream>
  private let isReady: Bool

  init() {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    let result = unsafe inflateInit_(stream, zlibVersion(), Int32(MemoryLayout<z_stream>.size))
    isReady = result == Z_OK
  }

  deinit {
    if isReady { unsafe inflateEnd(stream) }
    unsafe stream.deallocate()
  }

  func decompress(
    _ source: RawSpan, into target: inout MutableRawSpan
  ) throws(DecompressionError) {
    guard isReady, unsafe inflateReset(stream) == Z_OK else { throw .outOfMemory }
    guard source.byteCount <= Int(UInt32.max), target.byteCount <= Int(UInt32.max) else {
      throw .damaged
    }
    let result = unsafe zlibRun(stream, from: source, into: &target) {
      unsafe inflate($0, Z_FINISH)
    }
    if result == Z_MEM_ERROR { throw .outOfMemory }
    let isWhole = unsafe stream.pointee.avail_in == 0 && stream.pointee.avail_out == 0
    guard result == Z_STREAM_END, isWhole else { throw .damaged }
  }
}

/// Points the stream to both, for one call that does all, and to nothing afterwards.
private func zlibRun(
  _ stream: UnsafeMutablePointer<z_stream>, from source: RawSpan,
  into target: inout MutableRawSpan, _ body: (UnsafeMutablePointer<z_stream>) -> Int32
) -> Int32 {
  unsafe source.withUnsafeBytes { source in
    unsafe target.withUnsafeMutableBytes { target in
      // zlib reads and writes `avail` bytes from the pointers on, no more. An empty buffer may have no
      // address, which zlib refuses: it gets one that it will not use.
      var nothing: UInt8 = 0
      return unsafe withUnsafeMutablePointer(to: &nothing) { nothing in
        let input = unsafe source.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let output = unsafe target.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.next_in =
          unsafe input.map { unsafe UnsafeMutablePointer(mutating: $0) } ?? nothing
        unsafe stream.pointee.avail_in = UInt32(source.count)
        unsafe stream.pointee.next_out = output ?? nothing
        unsafe stream.pointee.avail_out = UInt32(target.count)
        defer {
          unsafe stream.pointee.next_in = nil
          unsafe stream.pointee.next_out = nil
        }
        return unsafe body(stream)
      }
    }
  }
}
