import CKernels

extension CodingPlan {
  /// Computes the outputs. All columns lie in `buffer`: `sources` and `outputs` are their byte offsets, `byteCount` is the
  /// length of each. With `accumulating` the outputs are added to. An output overlaps no source and no other output.
  ///
  /// Any length and alignment is right; multiples of 64 on 64-byte boundaries are quick. Nothing is allocated.
  package func apply(
    in buffer: inout MutableRawSpan, sources: Span<Int>, outputs: Span<Int>, byteCount: Int,
    accumulating: Bool = false
  ) {
    precondition(sources.count == sourceCount && outputs.count == outputCount)
    checkColumns(
      sources: sources, outputs: outputs, byteCount: byteCount, limit: buffer.byteCount)
    guard byteCount > 0, outputCount > 0 else { return }
    // Every column was just found to lie within the buffer; the kernels touch nothing else.
    unsafe buffer.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      guard let usedSources else {
        return unsafe apply(
          at: base, sources: sources, outputs: outputs, byteCount: byteCount,
          accumulating: accumulating)
      }
      var used = [255 of Int](repeating: 0)
      for index in usedSources.indices { used[index] = sources[usedSources[index]] }
      unsafe apply(
        at: base, sources: used.span.extracting(0..<usedSources.count), outputs: outputs,
        byteCount: byteCount, accumulating: accumulating)
    }
  }

  private func checkColumns(
    sources: Span<Int>, outputs: Span<Int>, byteCount: Int, limit: Int
  ) {
    precondition(byteCount >= 0)
    for index in sources.indices {
      precondition(sources[index] >= 0 && sources[index] <= limit - byteCount)
    }
    for index in outputs.indices {
      let output = outputs[index]
      precondition(output >= 0 && output <= limit - byteCount)
      for other in sources.indices {
        precondition(abs(sources[other] - output) >= byteCount, "an output overlaps a source")
      }
      for other in 0..<index {
        precondition(abs(outputs[other] - output) >= byteCount, "two outputs overlap")
      }
    }
  }

  private func apply(
    at base: UnsafeMutableRawPointer, sources: Span<Int>, outputs: Span<Int>, byteCount: Int,
    accumulating: Bool
  ) {
    let whole = byteCount & ~63
    if whole > 0 {
      switch (shape, level) {
      case (.xor, .portable), (.xor, .avx2):
        // Memory is nearly the limit here; only the longer bursts of the 64-byte kernel, 5 % more, do better.
        unsafe PortableKernel.xor(
          in: base, sources: sources, output: outputs[0], byteCount: whole,
          accumulating: accumulating)
      case (_, .portable):
        unsafe applyPortable(
          at: base, sources: sources, outputs: outputs, byteCount: whole, accumulating: accumulating
        )
      case (_, .avx2), (_, .avx512):
        unsafe applyVector(
          at: base, sources: sources, outputs: outputs, byteCount: whole, accumulating: accumulating
        )
      }
    }
    if whole < byteCount {
      unsafe applySteps(
        at: base + whole, sources: sources, outputs: outputs, byteCount: byteCount - whole,
        accumulating: accumulating)
    }
  }

  private func applyPortable(
    at base: UnsafeMutableRawPointer, sources: Span<Int>, outputs: Span<Int>, byteCount: Int,
    accumulating: Bool
  ) {
    if case .pq = shape {
      unsafe PortableKernel.pq(
        steps[1], in: base, sources: sources, p: outputs[0], q: outputs[1],
        byteCount: byteCount, accumulating: accumulating)
    } else {
      unsafe applySteps(
        at: base, sources: sources, outputs: outputs, byteCount: byteCount,
        accumulating: accumulating)
    }
  }

  /// One output after another, in strips of which all sources stay in the nearest cache.
  private func applySteps(
    at base: UnsafeMutableRawPointer, sources: Span<Int>, outputs: Span<Int>, byteCount: Int,
    accumulating: Bool
  ) {
    let strip = max(64, 16384 / max(sources.count, 1) & ~63)
    for start in stride(from: 0, to: byteCount, by: strip) {
      for output in outputs.indices {
        unsafe PortableKernel.sum(
          steps[output], in: base + start, sources: sources, output: outputs[output],
          byteCount: min(strip, byteCount - start), accumulating: accumulating)
      }
    }
  }

  #if arch(x86_64)
    private func applyVector(
      at base: UnsafeMutableRawPointer, sources: Span<Int>, outputs: Span<Int>, byteCount: Int,
      accumulating: Bool
    ) {
      let bytes = unsafe base.assumingMemoryBound(to: UInt8.self)
      unsafe sources.withUnsafeBufferPointer { sources in
        unsafe outputs.withUnsafeBufferPointer { outputs in
          switch (shape, level) {
          case (.pq(let order, let doublings), .avx2):
            unsafe ckernels_pq_avx2(
              bytes, sources.baseAddress, order, doublings, sources.count, outputs[0], outputs[1],
              byteCount, accumulating)
          case (_, .avx2):
            unsafe applyShuffles(
              at: bytes, sources: sources, outputs: outputs, byteCount: byteCount,
              accumulating: accumulating)
          case (.general, _):
            unsafe applyMatrices(
              at: bytes, sources: sources, outputs: outputs, byteCount: byteCount,
              accumulating: accumulating, firstIsSum: false)
          case (.xor, _), (.pq, _), (.sumAndGeneral, _):
            unsafe applyMatrices(
              at: bytes, sources: sources, outputs: outputs, byteCount: byteCount,
              accumulating: accumulating, firstIsSum: true)
          }
        }
      }
    }

    private func applyShuffles(
      at base: UnsafeMutablePointer<UInt8>, sources: UnsafeBufferPointer<Int>,
      outputs: UnsafeBufferPointer<Int>, byteCount: Int, accumulating: Bool
    ) {
      unsafe tables.withUnsafeBufferPointer { tables in
        guard let table = tables.baseAddress, let output = outputs.baseAddress else { return }
        for piece in CodingPieces(sourceCount: sources.count, byteCount: byteCount) {
          let source = unsafe UnsafeBufferPointer(rebasing: sources[piece.sources])
          for first in stride(from: 0, to: outputs.count, by: 4) {
            unsafe ckernels_general_avx2(
              base + piece.offset, source.baseAddress, source.count,
              table + 32 * (piece.sources.lowerBound * outputs.count + first), outputs.count,
              output + first, min(4, outputs.count - first), piece.byteCount,
              accumulating || piece.sources.lowerBound > 0)
          }
        }
      }
    }

    private func applyMatrices(
      at base: UnsafeMutablePointer<UInt8>, sources: UnsafeBufferPointer<Int>,
      outputs: UnsafeBufferPointer<Int>, byteCount: Int, accumulating: Bool, firstIsSum: Bool
    ) {
      unsafe matrices.withUnsafeBufferPointer { matrices in
        guard let matrix = matrices.baseAddress, let output = outputs.baseAddress else { return }
        for piece in CodingPieces(sourceCount: sources.count, byteCount: byteCount) {
          let source = unsafe UnsafeBufferPointer(rebasing: sources[piece.sources])
          for first in stride(from: 0, to: outputs.count, by: 6) {
            unsafe ckernels_general_gfni(
              base + piece.offset, source.baseAddress, source.count,
              matrix + piece.sources.lowerBound * outputs.count + first, outputs.count,
              output + first, min(6, outputs.count - first), piece.byteCount,
              accumulating || piece.sources.lowerBound > 0, firstIsSum && first == 0)
          }
        }
      }
    }
  #else
    private func applyVector(
      at base: UnsafeMutableRawPointer, sources: Span<Int>, outputs: Span<Int>, byteCount: Int,
      accumulating: Bool
    ) {
      preconditionFailure("no such kernels on this processor")
    }
  #endif
}
