import LinuxSystem
import SystemPackage

/// What a restore has made or moved that outlives processes, and how it is taken back when the restore fails.
final class RestoreJournal: Sendable {
  private let state = Monitor(State())

  private struct State: Sendable {
    var steps: [Step] = []
    var spare: [String] = []
  }

  private enum Step: Sendable {
    /// A file that was made, by which file it is: somebody may have put another there since.
    case file(String, device: UInt64, inode: UInt64)
    /// A file that stood in the way, and where it is now.
    case moved(from: String, to: String)
    /// A System V segment.
    case segment(Int32)
  }

  /// Notes that the path leads to this file because of us.
  func made(
    _ file: borrowing OwnedDescriptor, at path: String
  ) throws(SystemCallError) {
    let details = try file.details()
    state.withLock {
      $0.steps.append(.file(path, device: details.device, inode: details.inode))
    }
  }

  /// Notes that the path leads to what was made there just now, which is nothing to be opened.
  func made(at path: String) throws(SystemCallError) {
    // O_PATH | O_NOFOLLOW
    try made(OwnedDescriptor.open(path, flags: OpenFlags.pathOnly | 0o400000), at: path)
  }

  func moved(from path: String, to newPath: String) {
    state.withLock { $0.steps.append(.moved(from: path, to: newPath)) }
  }

  func madeSegment(_ id: Int32) { state.withLock { $0.steps.append(.segment(id)) } }

  /// Moves what is at the path out of the way for as long as it may have to go back. Returns its name there.
  @discardableResult
  func setAside(_ path: String) throws(SystemCallError) -> String {
    let aside = Files.temporaryName(beside: path)
    try Files.rename(path, toFree: aside)
    moved(from: path, to: aside)
    return aside
  }

  /// What was set aside is nobody's when the tree runs.
  func drop(_ aside: String) { state.withLock { $0.spare.append(aside) } }

  /// Takes all back, the last first. What can't be taken back stays: the error that led here is the one to tell.
  func undo() {
    let steps = state.withLock { state in
      defer { state = State() }
      return state.steps
    }
    for step in steps.reversed() {
      switch step {
      case .file(let path, let device, let inode):
        let found = try? OwnedDescriptor.open(path, flags: OpenFlags.pathOnly | 0o400000).details()
        if let found, found.device == device, found.inode == inode { try? Files.unlink(path) }
      case .moved(let path, let newPath): try? Files.rename(newPath, toFree: path)
      case .segment(let id): try? SystemVMemory.remove(id)
      }
    }
  }

  /// The tree runs: nothing goes back any more.
  func settle() {
    let spare = state.withLock { state in
      defer { state = State() }
      return state.spare
    }
    for path in spare { try? Files.unlink(path) }
  }
}

/// A file that is made beside the place where it belongs, and takes the place when it is complete.
final class FileReplacement: Sendable {
  /// Where it belongs.
  let path: String
  private let temporary: String
  /// What is there stays, under another name.
  private let keepsPresent: Bool
  private let journal: RestoreJournal

  init(at path: String, keepsPresent: Bool, _ journal: RestoreJournal) {
    (self.path, self.keepsPresent, self.journal) = (path, keepsPresent, journal)
    temporary = Files.temporaryName(beside: path)
  }

  /// Makes it, empty and open for reading and writing.
  func make() throws(SystemCallError) -> OwnedDescriptor {
    let file = try OwnedDescriptor.open(
      temporary, access: .readWrite, options: [.create, .exclusive], permissions: 0o600)
    try journal.made(file, at: temporary)
    return file
  }

  /// Puts it in its place, which is never without a file. Returns the new name of what was there and is kept.
  func commit(_ file: borrowing OwnedDescriptor) throws(SystemCallError) -> String? {
    guard let aside = try takePlace(file) else { return nil }
    guard keepsPresent else {
      journal.drop(aside)
      return nil
    }
    // The first name of its kind that is free.
    var number = 1
    while true {
      let name = "\(path).ftool-\(number)~"
      do throws(SystemCallError) {
        try Files.rename(aside, toFree: name)
        journal.moved(from: aside, to: name)
        return name
      } catch  where error.errno == .fileExists {
        number += 1
      }
    }
  }

  /// Returns where that is now which was in the place.
  private func takePlace(_ file: borrowing OwnedDescriptor) throws(SystemCallError) -> String? {
    do throws(SystemCallError) {
      try Files.exchange(temporary, path)
      journal.moved(from: path, to: temporary)
      try journal.made(file, at: path)
      return temporary
    } catch  where error.errno == .noSuchFileOrDirectory {
      try Files.rename(temporary, toFree: path)
      try journal.made(file, at: path)
      return nil
    } catch  where error.errno == .invalidArgument {
      // For a moment, a filesystem of few words has nothing there.
      let aside = try journal.setAside(path)
      try Files.rename(temporary, toFree: path)
      try journal.made(file, at: path)
      return aside
    }
  }
}
