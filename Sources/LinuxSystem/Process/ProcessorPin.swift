/// Keeps this thread on the processor that another one ran on last, until `release`: what two threads do in
/// turn takes a fifth of the time there.
package struct ProcessorPin {
  private let before: [UInt8]?

  /// Where that cannot be had, nothing happens.
  package init(like thread: ProcessID) {
    let myself = ProcessID(0)
    guard let status = try? ProcessStatus(of: thread), let before = try? myself.affinity() else {
      self.before = nil
      return
    }
    let processor = Int(clamping: status.number(39))
    var mask = [UInt8](repeating: 0, count: before.count)
    guard processor / 8 < mask.count else {
      self.before = nil
      return
    }
    mask[processor / 8] = 1 << UInt8(processor % 8)
    let isPinned = (try? myself.set(affinity: mask)) != nil
    self.before = isPinned ? before : nil
  }

  /// This thread runs wherever it did.
  package func release() {
    if let before { try? ProcessID(0).set(affinity: before) }
  }
}
