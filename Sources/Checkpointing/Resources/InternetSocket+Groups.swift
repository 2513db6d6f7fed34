import BinaryCodec
import LinuxSystem

extension InternetSocket {
  /// A multicast group that it has joined.
  struct Membership: FieldCoded, Equatable {
    var interface = ""
    /// 4 bytes or 16.
    var group: [UInt8] = []
    /// Only these senders are heard; else all but these.
    var hearsOnlySenders = false
    /// One address after the other.
    var senders: [UInt8] = []

    init() {}

    init(_ membership: GroupMembership) {
      (interface, group) = (membership.interface, membership.group)
      hearsOnlySenders = membership.hearsOnlySenders
      senders = membership.senders.flatMap(\.self)
    }

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &interface)
      try coder.field(2, &group)
      try coder.field(3, &hearsOnlySenders)
      try coder.field(4, &senders)
      if coder.isReading {
        guard group.count == 4 || group.count == 16 else { throw .outOfRange(2) }
        guard senders.count % group.count == 0, senders.count <= group.count * 128 else {
          throw .outOfRange(4)
        }
      }
    }

    var value: GroupMembership {
      GroupMembership(
        interface: interface, group: group, hearsOnlySenders: hearsOnlySenders,
        senders: stride(from: 0, to: senders.count, by: group.count).map {
          Array(senders[$0..<$0 + group.count])
        })
    }
  }
}
