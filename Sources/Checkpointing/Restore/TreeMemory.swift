import BinaryCodec
import LinuxSystem
import SystemPackage

/// The memory of a tree that is being brought back. Several threads at once may put pages there.
package final class TreeMemory: Sendable {
  private let processes: Monitor<[SpaceMemory?]>
  private let processCount: Int
  private let objects: [RestoredObject]

  init(processes: [SpaceMemory?], objects: [RestoredObject]) {
    processCount = processes.count
    self.processes = Monitor(processes)
    self.objects = objects
  }

  /// A process was made that was not there before.
  func set(_ memory: SpaceMemory, ofProcess index: Int) {
    processes.withLock { $0[index] = memory }
  }

  func process(_ index: Int) throws(CheckpointError) -> SpaceMemory {
    guard let process = processes.withLock({ $0[index] }) else {
      throw .inconsistent(.pageOutsideAreas)
    }
    return process
  }

  private func object(ofSpace space: Int) throws(CheckpointError) -> RestoredObject {
    guard objects.indices.contains(space - processCount) else {
      throw .inconsistent(.pageOutsideAreas)
    }
    return objects[space - processCount]
  }

  /// Puts pages where they were: so many bytes at each of the addresses, one after the other. `space` is a
  /// process or an object, as `CheckpointState` numbers them.
  package func fill(
    space: Int, _ pages: RawSpan, areas: [Range<UInt64>]
  ) throws(CheckpointError) {
    if space < processCount {
      try process(space).fill(pages, areas)
    } else {
      try object(ofSpace: space).fill(pages, areas)
    }
  }

  /// To be called when all pages are there.
  func finish() throws(CheckpointError) {
    for process in processes.withLock({ $0 }) { try process?.finish() }
  }

  /// Reads back what was put there.
  package func read(
    space: Int, at address: UInt64, into buffer: inout MutableRawSpan
  ) throws(CheckpointError) {
    if space < processCount {
      try process(space).read(at: address, into: &buffer)
    } else {
      try object(ofSpace: space).read(at: address, into: &buffer)
    }
  }
}
