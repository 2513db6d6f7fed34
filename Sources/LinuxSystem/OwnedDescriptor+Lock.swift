import CLinux
import Glibc
import SystemPackage

/// How a lock is shared: many may hold `shared`, or one `exclusive`.
package enum LockMode: Equatable, Sendable { case shared, exclusive }

/// Who stands in the way of a lock.
package struct LockHolder: Equatable, Sendable {
  /// The kind of lock that is held.
  package let mode: LockMode
  /// Nil when an open file holds it, as ours do: the kernel does not say whose that is.
  package let processID: Int32?
}

// Locks of the open file description (F_OFD_SETLK): unlike the older kind they stand between two
// descriptors of one process too, and go when the last copy of the descriptor is closed, not the first.
// A range of nil is the whole file, however it grows.
extension OwnedDescriptor {
  /// Takes the lock unless somebody is in the way; returns whether it was taken. A lock that this
  /// descriptor already has changes its mode. Exclusive needs write access, shared needs read access.
  package func tryLock(
    _ mode: LockMode, range: Range<Int>? = nil
  ) throws(SystemCallError) -> Bool {
    do {
      try setLock(mode.number, range)
      return true
    } catch
      where error.errno == .resourceTemporarilyUnavailable
      || error.errno == .permissionDenied
    {
      return false
    }
  }

  /// Lets go of the lock on the range.
  package func unlock(range: Range<Int>? = nil) throws(SystemCallError) { try setLock(2, range) }

  /// Who would refuse this lock, without taking it; nil when it could be had. (By the time you look at
  /// the answer it may be wrong: for messages, not for decisions.)
  package func lockHolder(
    against mode: LockMode = .exclusive, range: Range<Int>? = nil
  ) throws(SystemCallError) -> LockHolder? {
    var found: CInt = 2
    var process: Int32 = -1
    let descriptor = descriptor
    try systemCall("fcntl(F_OFD_GETLK)", on: name) {
      unsafe clinux_lock_holder(
        descriptor, mode.number, Int64(range?.lowerBound ?? 0), Int64(range?.count ?? 0), &found,
        &process)
    }
    guard found != 2 else { return nil }
    return LockHolder(
      mode: found == 0 ? .shared : .exclusive, processID: process > 0 ? process : nil)
  }

  private func setLock(_ number: CInt, _ range: Range<Int>?) throws(SystemCallError) {
    precondition(range?.isEmpty != true, "a lock on nothing")  // the kernel takes 0 bytes for all
    let descriptor = descriptor
    try systemCall("fcntl(F_OFD_SETLK)", on: name) {
      clinux_lock(descriptor, number, Int64(range?.lowerBound ?? 0), Int64(range?.count ?? 0))
    }
  }
}

extension LockMode {
  fileprivate var number: CInt { self == .shared ? 0 : 1 }
}
