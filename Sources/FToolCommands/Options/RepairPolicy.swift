import ArgumentParser

/// What a scrub does with what it finds.
package enum RepairPolicy: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// Repairs wherever it is known which member is wrong.
  case auto
  /// Only reports.
  case never
}
