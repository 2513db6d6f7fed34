/// What a member is in its array: one 16-bit number of the superblock's role table.
package enum MDRole: Hashable, Sendable {
  /// An active member, or one on its way to be: its place in the array's order.
  case slot(Int)
  /// Not in use.
  case spare
  /// Failed, or gone.
  case faulty
  /// The journal of a raid4/5/6.
  case journal

  /// Slots are below this (Linux: `MD_DISK_ROLE_MAX`).
  package static let slotLimit = 0xff00

  /// The role of a number on disk; nil for the numbers that mean nothing.
  package init?(rawValue: UInt16) {
    switch rawValue {
    case 0xffff: self = .spare
    case 0xfffe: self = .faulty
    case 0xfffd: self = .journal
    case 0..<UInt16(Self.slotLimit): self = .slot(Int(rawValue))
    default: return nil
    }
  }

  /// The number on disk. A slot must be below `slotLimit`.
  package var rawValue: UInt16 {
    switch self {
    case .slot(let slot):
      precondition(slot >= 0 && slot < Self.slotLimit, "slot number out of range")
      return UInt16(slot)
    case .spare: return 0xffff
    case .faulty: return 0xfffe
    case .journal: return 0xfffd
    }
  }
}
