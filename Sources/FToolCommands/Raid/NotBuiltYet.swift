extension Failure {
  /// What a verb throws until its engine is there.
  static var notBuiltYet: Failure { Failure(.bug, "this verb has no engine yet") }
}
