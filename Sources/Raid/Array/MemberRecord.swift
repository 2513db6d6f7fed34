import BinaryCodec
import BlockStorage
import MDFormat
import Synchronization

/// What is known of a device that is a member, wherever on it the data is looked for: while the array is being
/// reshaped, a device is a member of the old and of the new shape at once.
package final class MemberRecord: Sendable {
  struct State {
    var superblock: MDSuperblock
    /// nil where the member has no regions of ours.
    var header: RegionHeader?
    var headerChanged = false
  }

  let state: Mutex<State>
  /// It is neither read nor written again.
  let failed = Atomic<Bool>(false)

  init(_ superblock: MDSuperblock, _ header: RegionHeader?) {
    state = Mutex(State(superblock: superblock, header: header))
  }
}
