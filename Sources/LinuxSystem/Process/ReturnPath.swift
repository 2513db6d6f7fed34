#if arch(x86_64)
  /// A way back for a thread whose tracer dies: its own code for the end of a signal handler, and room for
  /// what that takes up.
  ///
  /// Every C library has an instruction pair that makes rt_sigreturn(2). A thread that is led there, with a
  /// frame that holds its own state, takes that state up again whenever nobody stops it.
  package struct ReturnPath: Equatable, Sendable {
    /// Of the instruction that sets the number of rt_sigreturn; the call itself follows.
    package let instructions: UInt64
    /// Where a frame may be: nobody uses this memory.
    package let room: Range<UInt64>

    /// Bytes that a frame may take up.
    private static let frameByteCount: UInt64 = 24 << 10
    /// What the ABI lets a function use below its stack pointer.
    private static let redZoneByteCount: UInt64 = 128
    private static let searchLimit: UInt64 = 64 << 20

    /// nil where the process has no such code, or no such room.
    package static func find(
      in areas: [MemoryArea], _ memory: borrowing ProcessMemory, stackPointer: UInt64
    ) throws(SystemCallError) -> ReturnPath? {
      guard let room = try room(in: areas, memory, stackPointer) else { return nil }
      // The C library is as likely as not behind the name that says so.
      let code = areas.filter {
        $0.protection.contains(.execute) && $0.isBackedByFile && $0.byteCount <= searchLimit
      }
      let libraries = code.filter { $0.name.contains("libc") || $0.name.contains("musl") }
      for area in libraries + code.filter({ !libraries.contains($0) }) {
        if let address = try instructions(in: area, memory) {
          return ReturnPath(instructions: address, room: room)
        }
      }
      return nil
    }

    /// Looks for them in a process that runs, so that it need not be done while it stands still.
    package static func prepare(for process: ProcessID) {
      guard let areas = try? MemoryArea.all(of: process, withFlags: false),
        let memory = try? ProcessMemory(of: process)
      else { return }
      for area in areas where area.protection.contains(.execute) && area.isBackedByFile {
        guard area.byteCount <= searchLimit else { continue }
        if area.name.contains("libc") || area.name.contains("musl") {
          _ = try? instructions(in: area, memory)
        }
      }
    }

    /// Where they were found: in which part of which file, and how far behind its start.
    private static let known = Monitor<[CodePlace: UInt64]>([:])

    private struct CodePlace: Hashable {
      var device: MemoryArea.DeviceNumbers
      var inode: UInt64
      var offset: UInt64
    }

    /// mov $15, %rax or %eax; syscall
    private static func instructions(
      in area: MemoryArea, _ memory: borrowing ProcessMemory
    ) throws(SystemCallError) -> UInt64? {
      let place = CodePlace(device: area.device, inode: area.inode, offset: area.fileOffset)
      if let offset = known.withLock({ $0[place] }), offset + tailLimit <= area.byteCount {
        var one = area
        one.addresses =
          area.addresses.lowerBound + offset..<area.addresses.lowerBound + offset
          + tailLimit
        // The process might have other code there by now.
        if let found = try search(in: one, memory), found == one.addresses.lowerBound {
          return found
        }
      }
      guard let found = try search(in: area, memory) else { return nil }
      known.withLock { $0[place] = found - area.addresses.lowerBound }
      return found
    }

    /// The longer form of both instructions.
    private static let tailLimit: UInt64 = 9

    private static func search(
      in area: MemoryArea, _ memory: borrowing ProcessMemory
    ) throws(SystemCallError) -> UInt64? {
      let code = try memory.bytes(at: area.addresses.lowerBound, count: Int(area.byteCount))
      let tail: [UInt8] = [0x0f, 0, 0, 0, 0x0f, 0x05]
      var index = 1
      let end = code.count - tail.count
      while index <= end {
        if code[index] == 0x0f && code[index + 4] == 0x0f && code[index + 5] == 0x05
          && code[index + 1] == 0 && code[index + 2] == 0 && code[index + 3] == 0
        {
          let start = area.addresses.lowerBound + UInt64(index)
          if code[index - 1] == 0xb8 { return start - 1 }
          if index >= 3 && code[index - 1] == 0xc0 && code[index - 2] == 0xc7
            && code[index - 3] == 0x48
          {
            return start - 3
          }
        }
        index += 1
      }
      return nil
    }

    /// Below what the first thread has on the stack that it began with; where it runs on another stack, the
    /// far end of that one, if nothing was ever written there.
    private static func room(
      in areas: [MemoryArea], _ memory: borrowing ProcessMemory, _ stackPointer: UInt64
    ) throws(SystemCallError) -> Range<UInt64>? {
      guard let stack = areas.first(where: { $0.name == "[stack]" }),
        stack.byteCount >= 2 * frameByteCount
      else { return nil }
      let lowest = stack.addresses.lowerBound
      if stack.addresses.contains(stackPointer) {
        let end = (stackPointer - redZoneByteCount) & ~63
        return end >= lowest + frameByteCount ? end - frameByteCount..<end : nil
      }
      let bytes = try memory.bytes(at: lowest, count: Int(frameByteCount))
      return bytes.allSatisfy { $0 == 0 } ? lowest..<lowest + frameByteCount : nil
    }
  }
#endif
