#if arch(x86_64)
  /// Finds a `syscall` instruction among a process's own code: its vdso has some, for what the clock page
  /// cannot answer.
  package enum CallInstruction {
    /// Its address; nil if the process has no vdso, or one without.
    package static func find(
      in areas: [MemoryArea], _ memory: borrowing ProcessMemory
    ) throws(SystemCallError) -> UInt64? {
      guard let vdso = areas.first(where: { $0.name == "[vdso]" }), vdso.byteCount <= 64 << 10
      else { return nil }
      let code = try memory.bytes(at: vdso.addresses.lowerBound, count: Int(vdso.byteCount))
      for offset in 0..<(code.count - 1) where code[offset] == 0x0f && code[offset + 1] == 0x05 {
        return vdso.addresses.lowerBound + UInt64(offset)
      }
      return nil
    }
  }
#endif
