/// Why bytes are not a write-intent bitmap that may be used.
package enum MDBitmapError: Error, Equatable, Sendable {
  /// Nothing that says it is a bitmap.
  case absent
  /// Fewer bytes than the header has.
  case truncated(byteCount: Int)
  /// Version 5: a bitmap for each node of a cluster.
  case clustered
  /// Version 6, "llbitmap" of Linux 6.18 and later: a byte of state for each range, another format.
  case lockless
  case unsupportedVersion(UInt32)
  /// A field that makes no sense.
  case invalid(field: Field)

  /// The header's fields that can be invalid, by their names in Linux.
  package enum Field: String, Sendable {
    case chunkSize = "chunksize"
    case daemonSleep = "daemon_sleep"
    case writeBehind = "write_behind"
    case syncSize = "sync_size"
  }
}
