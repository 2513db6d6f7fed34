import ArgumentParser

/// Which of md's superblocks the members get.
package enum MetadataChoice: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// Near the end of the member.
  case version1_0 = "1.0"
  /// At its start.
  case version1_1 = "1.1"
  /// 4 KiB behind its start.
  case version1_2 = "1.2"
}

/// Which checksums are kept of the data.
package enum SumsChoice: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// CRC32C of every 4 KiB.
  case crc32c
  /// None.
  case none
}

/// Whether there is something inside the array, or not.
package enum InternalChoice: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// On the members.
  case `internal`
  /// Nowhere.
  case none
}
