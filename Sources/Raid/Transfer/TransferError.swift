import LinuxSystem

/// Why a copy between an array and a file ended.
package enum TransferError: Error, Equatable, Sendable {
  case array(RaidError)
  /// The file, pipe or terminal at the other end.
  case other(SystemCallError)
}
