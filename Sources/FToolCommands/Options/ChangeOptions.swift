import ArgumentParser

/// What every command that changes an array may be told, and how it opens the array then.
package struct ChangeOptions: ParsableArguments {
  @OptionGroup package var degraded: DegradedOption
  @OptionGroup package var sums: SumsFileOption
  @OptionGroup package var lock: LockOptions
  @OptionGroup package var write: WriteOptions

  package init() {}

  /// Opens the array for writing; for a dry run only for reading.
  ///
  /// - Parameter particulars: what the command wants beside.
  func open(
    _ operand: ArrayOperand, _ context: CommandContext,
    _ particulars: (inout ArraySession.Request) -> Void = { _ in }
  ) throws(Failure) -> ArraySession {
    var request = ArraySession.Request()
    request.use = write.dryRun ? .read : .write
    request.allowsDegraded = degraded.degraded
    request.allowsDoubt = write.force
    request.sumsFile = sums.sumsFile
    request.wait = lock.wait
    particulars(&request)
    return try ArraySession(operand, request, context: context)
  }
}
