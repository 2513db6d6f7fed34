import LinuxSystem

/// Whether this machine's processors have all that the programs found where they were saved.
enum ProcessorCheck {
  /// What is missing; nil if nothing is, or the image does not say.
  static func obstacle(_ state: CheckpointState) -> Obstacle? {
    let here = ProcessorFeatures.here
    let missing = state.processorFeatures.split(separator: " ").filter {
      !here.contains(String($0))
    }
    if missing.isEmpty || here.isEmpty { return nil }
    return Obstacle(
      ProcessID(0), "this machine's processor",
      "it does not have \(missing.prefix(8).joined(separator: ", "))"
        + (missing.count > 8 ? " and \(missing.count - 8) more" : "")
        + ", which the one had where the program was saved",
      remedy: "restore on a machine that has, or, if the program does not use them, with --force")
  }
}
