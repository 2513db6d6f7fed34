import FToolTestSupport
import SystemPackage
import Testing

@testable import LinuxSystem

@Suite struct LockTests {
  let scratch: Scratch
  let path: String

  init() throws {
    scratch = try Scratch()
    path = try scratch.directory.file("member", [UInt8](repeating: 0, count: 4096))
  }

  private func open() throws -> OwnedDescriptor {
    try OwnedDescriptor.open(path, access: .readWrite)
  }

  @Test func `one descriptor keeps another out`() throws {
    let first = try open()
    let second = try open()
    #expect(try first.tryLock(.exclusive))
    #expect(try !second.tryLock(.exclusive))
    #expect(try !second.tryLock(.shared))
    #expect(try first.tryLock(.exclusive))  // it has it already
    try first.unlock()
    #expect(try second.tryLock(.exclusive))
  }

  @Test func `many may share`() throws {
    let first = try open()
    let second = try open()
    #expect(try first.tryLock(.shared))
    #expect(try second.tryLock(.shared))
    #expect(try !first.tryLock(.exclusive))
    try second.unlock()
    #expect(try first.tryLock(.exclusive))
    #expect(try !second.tryLock(.shared))
  }

  @Test func `ranges stand apart`() throws {
    let first = try open()
    let second = try open()
    #expect(try first.tryLock(.exclusive, range: 0..<100))
    #expect(try second.tryLock(.exclusive, range: 100..<200))
    #expect(try !second.tryLock(.shared, range: 99..<101))
    #expect(try !second.tryLock(.exclusive))  // the whole
    try first.unlock(range: 0..<100)
    #expect(try second.tryLock(.exclusive))
  }

  @Test func `a lock goes with its descriptor`() throws {
    let second = try open()
    do {
      let first = try open()
      #expect(try first.tryLock(.exclusive))
      #expect(try second.lockHolder() == LockHolder(mode: .exclusive, processID: nil))
      #expect(try first.lockHolder() == nil)  // one's own stands in nobody's way
    }
    #expect(try second.lockHolder() == nil)
    #expect(try second.tryLock(.exclusive))
  }

  @Test func `asking who holds it takes nothing`() throws {
    let first = try open()
    let second = try open()
    let third = try open()
    #expect(try first.tryLock(.shared))
    #expect(try second.lockHolder(against: .exclusive)?.mode == .shared)
    #expect(try second.lockHolder(against: .shared) == nil)
    #expect(try third.tryLock(.shared))
  }

  @Test func `an exclusive lock needs write access`() throws {
    let reader = try OwnedDescriptor.open(path, access: .readOnly)
    #expect(throws: SystemCallError.self) { try reader.tryLock(.exclusive) }
    #expect(try reader.tryLock(.shared))
  }

  @Test func `another process is kept out`() async throws {
    let own = try open()
    #expect(try own.tryLock(.exclusive))
    await #expect(processExitsWith: .exitCode(3)) { [path = path as String] in
      let other = try OwnedDescriptor.open(path, access: .readWrite)
      exitTest(try other.tryLock(.shared) ? 1 : try other.lockHolder() == nil ? 2 : 3)
    }
    try own.unlock()
    await #expect(processExitsWith: .exitCode(4)) { [path = path as String] in
      let other = try OwnedDescriptor.open(path, access: .readWrite)
      exitTest(try other.tryLock(.exclusive) ? 4 : 1)
    }
    #expect(try own.tryLock(.exclusive))  // that process is gone, and its lock with it
  }
}
