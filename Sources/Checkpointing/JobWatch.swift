/// Who watches a long job: told how far it is, and asked whether it shall go on.
package struct JobWatch: Sendable {
  /// Called between pieces, by any thread: bytes of memory that are done, and all that there are where that is
  /// known. False ends the job as an error would: what was made is gone, and what was saved runs on.
  package var goesOn: @Sendable (_ done: Int, _ total: Int?) -> Bool

  /// One that lets every job run.
  package init(goesOn: @escaping @Sendable (_ done: Int, _ total: Int?) -> Bool = { _, _ in true })
  {
    self.goesOn = goesOn
  }

  func step(done: Int, total: Int?) throws(CheckpointError) {
    if !goesOn(done, total) { throw .stopped }
  }
}
