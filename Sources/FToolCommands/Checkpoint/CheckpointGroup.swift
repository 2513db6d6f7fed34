import ArgumentParser

/// `ftool checkpoint`: the verbs about running programs.
package struct CheckpointGroup: ParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "checkpoint",
    abstract: "Freeze running programs, keep them in a file, bring them back.",
    subcommands: [
      CheckpointCheck.self, CheckpointSave.self, CheckpointRestore.self, CheckpointShow.self,
      CheckpointVerify.self,
    ])

  package init() {}
}
