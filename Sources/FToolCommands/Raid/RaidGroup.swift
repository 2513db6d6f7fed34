import ArgumentParser

/// `ftool raid`: the verbs about arrays.
package struct RaidGroup: ParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "raid", abstract: "Make, read, write, check and heal arrays.",
    subcommands: [
      RaidCreate.self, RaidList.self, RaidStatus.self, RaidExamine.self, RaidRead.self,
      RaidWrite.self, RaidScrub.self, RaidRebuild.self, RaidReplace.self, RaidAdd.self,
      RaidRemove.self, RaidFail.self, RaidGrow.self, RaidRecover.self, RaidWait.self,
      RaidEvents.self, RaidWipe.self,
    ])

  package init() {}
}
