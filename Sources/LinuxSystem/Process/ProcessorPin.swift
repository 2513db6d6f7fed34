/// Keeps this thread on one processor, until `release`: what two threads do in turn takes a fifth of the time on the
/// same one.
package struct ProcessorPin {
  private let before: [UInt8]?

  /// On the processor that another thread ran on last. Where that cannot be had, nothing happens.
  package init(like thread: ProcessID) {
    self.init(processor: (try? ProcessStatus(of: thread))?.processor)
  }

  /// On this processor, if it is known. Where that cannot be had, or is so already, nothing happens.
  package init(processor: Int?) {
    let myself = ProcessID(0)
    guard let processor, let before = try? myself.affinity(), processor / 8 < before.count else {
      self.before = nil
      return
    }
    var mask = [UInt8](repeating: 0, count: before.count)
    mask[processor / 8] = 1 << UInt8(processor % 8)
    let isPinned = mask != before && (try? myself.set(affinity: mask)) != nil
    self.before = isPinned ? before : nil
  }

  /// This thread runs wherever it did.
  package func release() {
    if let before { try? ProcessID(0).set(affinity: before) }
  }
}
