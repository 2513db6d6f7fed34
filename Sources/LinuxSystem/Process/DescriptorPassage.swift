import Glibc
import SystemPackage

/// A pair of sockets through which this process hands descriptors to others that have inherited the far end.
package final class DescriptorPassage: Sendable {
  private let near: OwnedDescriptor
  private let far: OwnedDescriptor

  /// The far end's number is not below `lowest`.
  package init(lowestNumber lowest: Int32) throws(SystemCallError) {
    // SOCK_SEQPACKET
    let ends = try OwnedDescriptor.socketPair(family: AF_UNIX, type: 5, protocol: 0)
    let first = OwnedDescriptor(owning: ends.0, name: "a passage")
    let second = OwnedDescriptor(owning: ends.1, name: "a passage")
    near = try first.duplicate(from: lowest)
    far = try second.duplicate(from: lowest)
  }

  /// The far end, as children have it.
  package var numberForChildren: Int32 { far.descriptor }

  /// Sends a descriptor; the next who receives has it.
  package func send(_ file: borrowing OwnedDescriptor) throws(SystemCallError) {
    // struct cmsghdr: length, SOL_SOCKET and SCM_RIGHTS; then the descriptor
    let control: [UInt64] = [20, 1 | 1 << 32, UInt64(UInt32(bitPattern: file.descriptor))]
    try near.send([0], control: control)
  }

  /// What recvmsg(2) needs to take one descriptor, as it lies at an address in the receiver: `struct msghdr`
  /// and what it points to. The number is in the last four bytes but four.
  package static func receipt(at address: UInt64) -> [UInt64] {
    let (vector, byte, control) = (address + 56, address + 72, address + 80)
    return [0, 0, vector, 1, control, 24, 0, byte, 1, 0, 0, 0, 0]
  }
  /// Where in the receipt the number is.
  package static let numberOffset = 96
}
