import LinuxSystem

/// Where the pages of a process are read that stands still: from itself while it is stopped, or from a copy
/// that was made of it when it was.
protocol MemorySource: Sendable {
  /// Fills the buffer from its start with the pages at these addresses, one after the other. Any thread may call this.
  func read(into buffer: inout MutableRawSpan, _ areas: [Range<UInt64>]) throws(CheckpointError)

  /// To be called when all has been read, and all pages were looked for: throws if some of them may have been
  /// gone by then, as those of a process that was killed are.
  func confirm() throws(CheckpointError)
}

/// A stopped process's own memory.
final class StoppedMemory: MemorySource {
  private let memory: ProcessMemory

  init(of process: ProcessID) throws(SystemCallError) {
    memory = try ProcessMemory(of: process)
  }

  func read(into buffer: inout MutableRawSpan, _ areas: [Range<UInt64>]) throws(CheckpointError) {
    do throws(SystemCallError) {
      try readAll(into: &buffer, areas)
    } catch {
      throw memory.process.standsStill
        ? .system(error, process: memory.process) : .vanished(memory.process)
    }
  }

  private func readAll(
    into buffer: inout MutableRawSpan, _ areas: [Range<UInt64>]
  ) throws(SystemCallError) {
    let byteCount = areas.reduce(0) { $0 + $1.count }
    do throws(SystemCallError) {
      try memory.readQuickly(into: &buffer, range: 0..<byteCount, areas: areas)
    } catch {
      // Pages that the process itself may not read are read past their protection.
      var done = 0
      for area in areas {
        let got = try memory.read(
          into: &buffer, range: done..<done + area.count, at: area.lowerBound)
        if got < area.count {
          throw SystemCallError(
            call: "pread", subject: "the memory of process \(memory.process)", errno: error.errno,
            transferredByteCount: got)
        }
        done += area.count
      }
    }
  }

  func confirm() throws(CheckpointError) {
    if !memory.process.standsStill { throw .vanished(memory.process) }
  }
}

extension ProcessID {
  /// Whether it is stopped by its tracer. One that was killed is not, from before its memory goes.
  var standsStill: Bool { (try? ProcessStatus(of: self))?.state == "t" }
}
