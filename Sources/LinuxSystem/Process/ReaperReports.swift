import Glibc
import SystemPackage

/// What the reaper of a pid namespace tells of the tree's root (`clinux_reaper_address`), for whoever stays in
/// front of it and is not its parent.
package final class ReaperReports {
  private let reading: OwnedDescriptor
  private var writing: OwnedDescriptor?
  private var reaper: ProcessID?

  package init() throws(SystemCallError) {
    let ends = try OwnedDescriptor.makePipe()
    reading = OwnedDescriptor(owning: ends.reading, name: "what a reaper tells")
    writing = OwnedDescriptor(owning: ends.writing, name: "what a reaper tells")
  }

  /// The number under which a child of this process inherits the writing end.
  package var numberForChildren: Int32 { writing?.numberForChildren() ?? -1 }

  /// From now on this child of ours alone has the writing end: when it has gone, that is noticed.
  package func leave(to reaper: ProcessID) {
    self.reaper = reaper
    writing = nil
  }

  /// Waits for the reaper's own end, if nothing keeps it: its tree may have left others behind.
  func waitForReaper() {
    guard let reaper else { return }
    for _ in 0..<20 {
      if (try? kernelCall(.wait4, "wait4", on: "the reaper", Int(reaper.number), 0, Int(WNOHANG)))
        != 0
      {
        return
      }
      Machine.sleep(seconds: 0.001)
    }
  }

  /// The next status as wait(2) gives it; nil if there is none yet. When the reaper has gone, that of a root
  /// that was killed with it.
  func next() throws(SystemCallError) -> Int32? {
    var status: [Int32] = [0]
    do throws(SystemCallError) {
      let count = try withAddress(of: &status) { (address) throws(SystemCallError) in
        try kernelCall(.read, "read", on: reading.name, Int(reading.descriptor), address, 4)
      }
      return count == 4 ? status[0] : SIGKILL
    } catch  where error.errno == .resourceTemporarilyUnavailable {
      return nil
    }
  }

  /// SIGIO comes whenever there is something; it must be blocked.
  func askForSignals() throws(SystemCallError) {
    try reading.control(F_SETOWN, Int(getpid()))
    try reading.control(F_SETFL, Int(O_NONBLOCK | O_ASYNC))
  }
}
