import BinaryCodec
import LinuxSystem
import SystemPackage

/// The memory of a tree that is being brought back. Several threads at once may put pages there.
package final class TreeMemory: Sendable {
  private let processes: [SpaceMemory?]
  private let objects: [ObjectMemory]

  init(processes: [SpaceMemory?], objects: [ObjectMemory]) {
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

  /// Puts a piece of an object's content back.
  package func fill(
    object: Int, content: RawSpan, at offset: UInt64
  ) throws(CheckpointError) {
    let (end, overflow) = offset.addingReportingOverflow(UInt64(content.byteCount))
    guard objects.indices.contains(object), !overflow else {
      throw .inconsistent(.pageOutsideAreas)
    }
    try objects[object].fill(content, [offset..<end])
  }

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

/// A process's memory, and where the image may write in it: in what is the process's own.
final class SpaceMemory: Sendable {
  let memory: ProcessMemory
  /// In order, neighbours joined.
  private let own: [Range<UInt64>]

  init(of process: ProcessID, _ areas: [AreaState]) throws(SystemCallError) {
    memory = try ProcessMemory(of: process)
    var own: [Range<UInt64>] = []
    for area in areas.filter(\.keepsPages).sorted(by: { $0.address < $1.address }) {
      if let last = own.last, last.upperBound == area.address {
        own[own.count - 1] = last.lowerBound..<area.addresses.upperBound
      } else {
        own.append(area.addresses)
      }
    }
    self.own = own
  }

  func fill(_ pages: RawSpan, _ areas: [Range<UInt64>]) throws(CheckpointError) {
    for area in areas { try check(area) }
    try about(memory.process) { () throws(SystemCallError) in
      do throws(SystemCallError) {
        try memory.writeQuickly(pages, range: 0..<pages.byteCount, areas: areas)
      } catch {
        guard error.errno == .badAddress || error.errno == .notPermitted else { throw error }
        // Some of them may not be written by the process itself.
        var done = 0
        for area in areas {
          try memory.write(pages, range: done..<done + area.count, at: area.lowerBound)
          done += area.count
        }
      }
    }
  }

  func read(at address: UInt64, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    let count = buffer.byteCount
    let (end, overflow) = address.addingReportingOverflow(UInt64(count))
    guard !overflow else { throw .inconsistent(.pageOutsideAreas) }
    try check(address..<end)
    var got = 0
    do throws(SystemCallError) {
      got = try memory.read(into: &buffer, range: 0..<count, at: address)
    } catch {
      throw .system(error, process: memory.process)
    }
    guard got == count else { throw .inconsistent(.pageOutsideAreas) }
  }

  private func check(_ area: Range<UInt64>) throws(CheckpointError) {
    var low = 0
    var high = own.count
    while low < high {
      let middle = (low + high) / 2
      if own[middle].upperBound <= area.lowerBound { low = middle + 1 } else { high = middle }
    }
    guard low < own.count, own[low].lowerBound <= area.lowerBound,
      area.upperBound <= own[low].upperBound
    else { throw .inconsistent(.pageOutsideAreas) }
  }
}

/// Memory that processes will share.
final class ObjectMemory: Sendable {
  private let descriptor: OwnedDescriptor
  private let byteCount: UInt64

  init(_ descriptor: consuming OwnedDescriptor, byteCount: UInt64) {
    self.descriptor = descriptor
    self.byteCount = byteCount
  }

  func fill(_ pages: RawSpan, _ areas: [Range<UInt64>]) throws(CheckpointError) {
    var done = 0
    for area in areas {
      guard area.upperBound <= byteCount else { throw .inconsistent(.pageOutsideAreas) }
      let range = done..<done + area.count
      try about(nil) { () throws(SystemCallError) in
        try descriptor.write(pages, range: range, at: Int(area.lowerBound))
      }
      done += area.count
    }
  }

  func read(at address: UInt64, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    let count = buffer.byteCount
    guard address <= byteCount, UInt64(count) <= byteCount - address else {
      throw .inconsistent(.pageOutsideAreas)
    }
    do throws(SystemCallError) {
      _ = try descriptor.read(into: &buffer, range: 0..<count, at: Int(address))
    } catch {
      throw .system(error, process: nil)
    }
  }
}
