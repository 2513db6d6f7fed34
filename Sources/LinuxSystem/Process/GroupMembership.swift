import Glibc
import SystemPackage

/// A multicast group that a socket has joined on an interface, and whom it hears there.
package struct GroupMembership: Equatable, Sendable {
  package var interface: String
  /// The address alone: 4 bytes or 16.
  package var group: [UInt8]
  /// Only those senders are heard; else all but those.
  package var hearsOnlySenders: Bool
  package var senders: [[UInt8]]

  package init(interface: String, group: [UInt8], hearsOnlySenders: Bool, senders: [[UInt8]]) {
    (self.interface, self.group) = (interface, group)
    (self.hearsOnlySenders, self.senders) = (hearsOnlySenders, senders)
  }

  /// All groups that anybody has joined in our network namespace.
  fileprivate static func candidates() -> [(interface: String, group: [UInt8])] {
    var found: [(String, [UInt8])] = []
    var device = ""
    for line in lines(of: "/proc/net/igmp") {
      let words = line.split { $0 == " " || $0 == "\t" }
      guard let first = words.first else { continue }
      if line.first == "\t" {
        // As a number in the machine's order of bytes.
        guard let number = UInt32(first, radix: 16) else { continue }
        found.append((device, (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }))
      } else if words.count > 1 {
        device = String(words[1])
        if device.last == ":" { device.removeLast() }
      }
    }
    for line in lines(of: "/proc/net/igmp6") {
      let words = line.split(separator: " ")
      guard words.count > 2, words[2].utf8.count == 32 else { continue }
      var group: [UInt8] = []
      var rest = words[2]
      while rest.count >= 2 {
        group.append(UInt8(rest.prefix(2), radix: 16) ?? 0)
        rest = rest.dropFirst(2)
      }
      found.append((String(words[1]), group))
    }
    return found
  }

  private static func lines(of path: String) -> [Substring] {
    let bytes = (try? Files.contents(of: path)) ?? []
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
  }

  /// The level of its options: IPPROTO_IP or IPPROTO_IPV6.
  fileprivate var level: Int32 { group.count == 4 ? 0 : 41 }

  /// `struct sockaddr_storage` with such an address.
  fileprivate static func storage(_ address: [UInt8]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 128)
    let start = address.count == 4 ? 4 : 8
    bytes[0] = address.count == 4 ? 2 : 10
    bytes.replaceSubrange(start..<start + address.count, with: address)
    return bytes
  }

  fileprivate static func address(in storage: ArraySlice<UInt8>) -> [UInt8] {
    let start = storage.startIndex
    return Array(
      storage.first == 2 ? storage[start + 4..<start + 8] : storage[start + 8..<start + 24])
  }
}

extension NetworkInterface {
  /// The beginning of what is said of an interface: its number, as 8 bytes.
  fileprivate static func prefix(_ name: String) throws(SystemCallError) -> [UInt8] {
    guard let index = index(of: name) else {
      throw SystemCallError(call: "if_nametoindex", subject: name, errno: .noSuchAddressOrDevice)
    }
    return (0..<8).map { UInt8(truncatingIfNeeded: UInt64(index) >> (8 * $0)) }
  }
}

extension OwnedDescriptor {
  /// The groups that this socket has joined.
  package borrowing func groupMemberships() throws(SystemCallError) -> [GroupMembership] {
    var found: [GroupMembership] = []
    for candidate in GroupMembership.candidates() {
      guard let index = NetworkInterface.index(of: candidate.interface) else { continue }
      // struct group_filter: interface, group, mode, number of senders, senders
      var filter = (0..<8).map { UInt8(truncatingIfNeeded: UInt64(index) >> (8 * $0)) }
      filter += GroupMembership.storage(candidate.group)
      let mode = filter.count
      filter += [UInt8](repeating: 0, count: 8 + 128 * Self.senderLimit)
      filter[mode + 4] = UInt8(Self.senderLimit)
      let level: Int32 = candidate.group.count == 4 ? 0 : 41
      guard let answer = try optionValue(level, 48, filter) else { continue }  // MCAST_MSFILTER
      let count = min(Int(answer[mode + 4]) | Int(answer[mode + 5]) << 8, Self.senderLimit)
      found.append(
        GroupMembership(
          interface: candidate.interface, group: candidate.group,
          hearsOnlySenders: answer[mode] == 1,
          senders: (0..<count).map {
            GroupMembership.address(in: answer[(mode + 8 + 128 * $0)...].prefix(128))
          }))
    }
    return found
  }

  private static var senderLimit: Int { 128 }

  /// An option that is asked for by what its value holds already. Nil where there is none.
  private borrowing func optionValue(
    _ level: Int32, _ number: Int32, _ value: [UInt8]
  ) throws(SystemCallError) -> [UInt8]? {
    var value = value
    var length = [UInt32(value.count)]
    let (descriptor, name) = (descriptor, name)
    do throws(SystemCallError) {
      try withAddress(of: &value) { (value) throws(SystemCallError) in
        try withAddress(of: &length) { (length) throws(SystemCallError) in
          try kernelCall(
            .getsockopt, "getsockopt", on: name, Int(descriptor), Int(level), Int(number), value,
            length)
        }
      }
    } catch {
      // No member, or a socket that can't be one.
      return nil
    }
    return value
  }

  /// Joins a group, and hears there whom the membership says.
  package borrowing func join(_ membership: GroupMembership) throws(SystemCallError) {
    guard membership.group.count == 4 || membership.group.count == 16,
      membership.senders.allSatisfy({ $0.count == membership.group.count })
    else { throw SystemCallError(call: "setsockopt", subject: name, errno: .invalidArgument) }
    let group =
      try NetworkInterface.prefix(membership.interface)
      + GroupMembership.storage(membership.group)
    try setOption(membership.level, 42, group)  // MCAST_JOIN_GROUP
    if !membership.hearsOnlySenders && membership.senders.isEmpty { return }
    let numbers: [UInt32] = [
      membership.hearsOnlySenders ? 1 : 0, UInt32(truncatingIfNeeded: membership.senders.count),
    ]
    let filter =
      group
      + numbers.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
      + membership.senders.flatMap { GroupMembership.storage($0) }
    try setOption(membership.level, 48, filter)
  }
}

/// A network interface, whose number changes from boot to boot.
package enum NetworkInterface {
  /// Nil where there is none of that name.
  package static func index(of name: String) -> UInt32? {
    let index = unsafe name.withCString { name in unsafe if_nametoindex(name) }
    return index == 0 ? nil : index
  }

  package static func name(of index: UInt32) -> String? {
    var bytes = [CChar](repeating: 0, count: 16)  // IF_NAMESIZE
    let isThere = unsafe bytes.withUnsafeMutableBufferPointer { buffer in
      unsafe if_indextoname(index, buffer.baseAddress!) != nil
    }
    return isThere
      ? String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      : nil
  }
}
