import BinaryCodec
import LinuxSystem
import SystemPackage

/// The memory of a tree that is being brought back. Several threads at once may put pages there.
package final class TreeMemory: Sendable {
  private let processes: [SpaceMemory?]
  private let objects: [RestoredObject]

  init(processes: [SpaceMemory?], objects: [RestoredObject]) {
    self.processes = processes
    self.objects = objects
  }

  /// Puts pages where they were: so many bytes at each of the addresses, one after the other. `space` is a
  /// process or an object, as `CheckpointState` numbers them.
  package func fill(
    space: Int, _ pages: RawSpan, areas: [Range<UInt64>]
  ) throws(CheckpointError) {
    if processes.indices.contains(space) {
      guard let process = processes[space] else { throw .inconsistent(.pageOutsideAreas) }
      try process.fill(pages, areas)
    } else {
      guard objects.indices.contains(space - processes.count) else {
        throw .inconsistent(.pageOutsideAreas)
      }
      try objects[space - processes.count].fill(pages, areas)
    }
  }

  /// To be called when all pages are there.
  func finish() { for process in processes { process?.finish() } }

  /// Reads back what was put there.
  package func read(
    space: Int, at address: UInt64, into buffer: inout MutableRawSpan
  ) throws(CheckpointError) {
    if processes.indices.contains(space) {
      guard let process = processes[space] else { throw .inconsistent(.pageOutsideAreas) }
      try process.read(at: address, into: &buffer)
    } else {
      guard objects.indices.contains(space - processes.count) else {
        throw .inconsistent(.pageOutsideAreas)
      }
      try objects[space - processes.count].read(at: address, into: &buffer)
    }
  }
}
