import Glibc
import SystemPackage

// Sockets, by the numbers and bytes that the kernel has for families, options and addresses.
extension OwnedDescriptor {
  package static func makeSocket(
    family: Int32, type: Int32, protocol: Int32
  ) throws(SystemCallError) -> OwnedDescriptor {
    let made = try kernelCall(
      .socket, "socket", on: "a socket", Int(family), Int(type | O_CLOEXEC), Int(`protocol`))
    return OwnedDescriptor(owning: CInt(made), name: "a socket")
  }

  package static func socketPair(
    family: Int32, type: Int32, protocol: Int32
  ) throws(SystemCallError) -> (Int32, Int32) {
    var ends: [Int32] = [0, 0]
    try withAddress(of: &ends) { (address) throws(SystemCallError) in
      try kernelCall(
        .socketpair, "socketpair", on: "a pair of sockets", Int(family), Int(type | O_CLOEXEC),
        Int(`protocol`), address)
    }
    return (ends[0], ends[1])
  }

  /// An option's value: as many bytes as it has, at most `limit`. Nil where the kernel has no such option
  /// for this socket.
  package borrowing func option(
    _ level: Int32, _ number: Int32, limit: Int = 128
  ) throws(SystemCallError) -> [UInt8]? {
    var value = [UInt8](repeating: 0, count: limit)
    var length = [UInt32(limit)]
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
      let absent: [Errno] = [
        Errno(rawValue: ENODATA), Errno(rawValue: EADDRNOTAVAIL),
        .protocolNotAvailable, .notSupportedOnSocket, .invalidArgument, .noSuchAddressOrDevice,
        .notPermitted, .socketNotConnected, .protocolNotSupported,
      ]
      if absent.contains(error.errno) { return nil }
      throw error
    }
    return Array(value.prefix(Int(length[0])))
  }

  /// SO_BINDTOIFINDEX with the number of an interface that there is not: SO_BINDTODEVICE can't tell its name.
  package borrowing func isBoundToMissingInterface() -> Bool {
    do throws(SystemCallError) {
      _ = try option(SOL_SOCKET, 25)
      return false
    } catch {
      return error.errno == Errno(rawValue: ENODEV)
    }
  }

  /// An option that is a number of four bytes; 0 where there is none.
  package borrowing func number(
    ofOption number: Int32, level: Int32 = SOL_SOCKET
  ) throws(SystemCallError) -> UInt32 {
    let bytes = try option(level, number) ?? []
    return bytes.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// How many instructions the filter has that is attached (SO_GET_FILTER); 0 for none.
  package borrowing func packetFilterLength() throws(SystemCallError) -> Int {
    var length: [UInt32] = [0]
    let (descriptor, name) = (descriptor, name)
    try withAddress(of: &length) { (length) throws(SystemCallError) in
      try kernelCall(
        .getsockopt, "getsockopt(SO_GET_FILTER)", on: name, Int(descriptor), 1, 26, 0, length)
    }
    return Int(length[0])
  }

  package borrowing func setOption(
    _ level: Int32, _ number: Int32, _ value: [UInt8]
  ) throws(SystemCallError) {
    var value = value
    let count = value.count
    let (descriptor, name) = (descriptor, name)
    try withAddress(of: &value) { (value) throws(SystemCallError) in
      try kernelCall(
        .setsockopt, "setsockopt", on: "option \(number) of \(name)", Int(descriptor), Int(level),
        Int(number),
        value, count)
    }
  }

  package borrowing func setOption(
    _ number: Int32, level: Int32 = SOL_SOCKET, to value: UInt32
  ) throws(SystemCallError) {
    try setOption(level, number, (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
  }

  /// `struct sockaddr` of this end; only the family if it has no name.
  package borrowing func ownAddress() throws(SystemCallError) -> [UInt8] {
    try address(.getsockname, "getsockname")
  }

  /// Of the other end; nil if there is none.
  package borrowing func peerAddress() throws(SystemCallError) -> [UInt8]? {
    do throws(SystemCallError) {
      return try address(.getpeername, "getpeername")
    } catch  where error.errno == .socketNotConnected {
      return nil
    }
  }

  private borrowing func address(
    _ call: KernelCall, _ callName: StaticString
  ) throws(SystemCallError) -> [UInt8] {
    var value = [UInt8](repeating: 0, count: 128)
    var length = [UInt32(128)]
    let (descriptor, name) = (descriptor, name)
    try withAddress(of: &value) { (value) throws(SystemCallError) in
      try withAddress(of: &length) { (length) throws(SystemCallError) in
        try kernelCall(call, callName, on: name, Int(descriptor), value, length)
      }
    }
    return Array(value.prefix(Int(length[0])))
  }

  /// An address that is in use is tried again for a tenth of a second: the kernel lets go of one a little after
  /// its holder has ended.
  package borrowing func bind(to address: [UInt8]) throws(SystemCallError) {
    let patience = ContinuousClock.now + .milliseconds(100)
    while true {
      do throws(SystemCallError) {
        return try give(address, .bind, "bind")
      } catch {
        guard error.errno == .addressInUse, ContinuousClock.now < patience else { throw error }
      }
      Machine.sleep(seconds: 0.005)
    }
  }

  package borrowing func connect(to address: [UInt8]) throws(SystemCallError) {
    try give(address, .connect, "connect")
  }

  private borrowing func give(
    _ address: [UInt8], _ call: KernelCall, _ callName: StaticString
  ) throws(SystemCallError) {
    var value = address
    let count = value.count
    let (descriptor, name) = (descriptor, name)
    try withAddress(of: &value) { (value) throws(SystemCallError) in
      try kernelCall(call, callName, on: name, Int(descriptor), value, count)
    }
  }

  package borrowing func listen(backlog: Int32) throws(SystemCallError) {
    try kernelCall(.listen, "listen", on: name, Int(descriptor), Int(backlog))
  }

  package borrowing func acceptConnection() throws(SystemCallError) -> OwnedDescriptor {
    let made = try kernelCall(
      .accept4, "accept", on: name, Int(descriptor), 0, 0, Int(O_CLOEXEC))
    return OwnedDescriptor(owning: CInt(made), name: "a connection")
  }

  /// 0: nothing is read any more, 1: nothing is written any more.
  package borrowing func shutDown(_ direction: Int32) throws(SystemCallError) {
    try kernelCall(.shutdown, "shutdown", on: name, Int(descriptor), Int(direction))
  }

  /// Sends one message without waiting, with control data if any, to an address if any.
  package borrowing func send(
    _ bytes: [UInt8], control: [UInt64] = [], to address: [UInt8] = []
  ) throws(SystemCallError) {
    var (bytes, control, address) = (bytes, control, address)
    let (byteCount, controlCount, addressCount) = (bytes.count, control.count * 8, address.count)
    // struct cmsghdr says how long it really is; the buffer is rounded up.
    let (descriptor, name) = (descriptor, name)
    // MSG_DONTWAIT | MSG_NOSIGNAL
    let sent = try withAddress(of: &bytes) { (bytes) throws(SystemCallError) in
      try withAddress(of: &control) { (control) throws(SystemCallError) in
        try withAddress(of: &address) { (address) throws(SystemCallError) in
          var vector = [bytes, byteCount]
          return try withAddress(of: &vector) { (vector) throws(SystemCallError) in
            var message = [
              addressCount > 0 ? address : 0, addressCount, vector, 1,
              controlCount > 0 ? control : 0, controlCount, 0,
            ]
            return try withAddress(of: &message) { (message) throws(SystemCallError) in
              try kernelCall(.sendmsg, "sendmsg", on: name, Int(descriptor), message, 0x4040)
            }
          }
        }
      }
    }
    if sent != byteCount {
      throw SystemCallError(
        call: "sendmsg", subject: name, errno: .messageTooLong, transferredByteCount: sent)
    }
  }

  /// The file that leads to a Unix socket that has one, to be looked at only (SIOCUNIXFILE). To ask wants
  /// CAP_NET_ADMIN.
  package borrowing func socketFile() throws(SystemCallError) -> OwnedDescriptor {
    let number = try request("ioctl(SIOCUNIXFILE)", 0x89e0)
    return OwnedDescriptor(owning: Int32(truncatingIfNeeded: number), name: "a socket's file")
  }

  /// Looks at the next message without taking it. Nil if there is none. SO_PEEK_OFF says where it begins.
  ///
  /// - Parameter buffer: as large as a message may be; the same one serves for many.
  package borrowing func peekMessage(
    into buffer: inout [UInt8]
  ) throws(SystemCallError) -> PeekedMessage? {
    let limit = buffer.count
    var control = [UInt8](repeating: 0, count: 4096)
    var address = [UInt8](repeating: 0, count: 128)
    let (descriptor, name) = (descriptor, name)
    do throws(SystemCallError) {
      let (count, addressCount, controlCount, flags) = try withAddress(of: &buffer) {
        (bytes) throws(SystemCallError) in
        try withAddress(of: &control) { (control) throws(SystemCallError) in
          try withAddress(of: &address) { (address) throws(SystemCallError) in
            var vector = [bytes, limit]
            return try withAddress(of: &vector) { (vector) throws(SystemCallError) in
              var message = [address, 128, vector, 1, control, 4096, 0]
              // MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC
              let count = try withAddress(of: &message) { (message) throws(SystemCallError) in
                try kernelCall(
                  .recvmsg, "recvmsg", on: name, Int(descriptor), message, 0x4000_0062)
              }
              return (count, message[1] & 0xffff_ffff, message[5], message[6])
            }
          }
        }
      }
      return PeekedMessage(
        bytes: Array(buffer.prefix(count)), byteCount: count,
        address: Array(address.prefix(min(addressCount, 128))),
        control: Array(control.prefix(controlCount)), flags: Int32(truncatingIfNeeded: flags))
    } catch  where error.errno == .resourceTemporarilyUnavailable {
      return nil
    }
  }
}

/// A message in a socket's queue.
package struct PeekedMessage: Sendable {
  package let bytes: [UInt8]
  /// How long it is in all, which may be more than was asked for.
  package let byteCount: Int
  /// Where it came from.
  package let address: [UInt8]
  /// `struct cmsghdr` and data, in a row.
  package let control: [UInt8]
  package let flags: Int32

  /// Descriptors that came with it: now ours, to be closed by whoever asks.
  package func takeDescriptors() -> [OwnedDescriptorBox] {
    var found: [OwnedDescriptorBox] = []
    forEachControl { level, type, data in
      guard level == SOL_SOCKET, type == 1 else { return }  // SCM_RIGHTS
      for start in stride(from: 0, to: data.count - 3, by: 4) {
        let bytes = data.dropFirst(start).prefix(4)
        let number = bytes.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        found.append(
          OwnedDescriptorBox(
            OwnedDescriptor(owning: Int32(bitPattern: number), name: "a descriptor in a message")))
      }
    }
    return found
  }

  /// Who sent it, where the socket asks for that: process, user, group.
  package var sender: (process: Int32, user: UInt32, group: UInt32)? {
    var sender: (Int32, UInt32, UInt32)?
    forEachControl { level, type, data in
      guard level == SOL_SOCKET, type == 2, data.count >= 12 else { return }  // SCM_CREDENTIALS
      let words = (0..<3).map { word in
        data.dropFirst(4 * word).prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      }
      sender = (Int32(bitPattern: words[0]), words[1], words[2])
    }
    return sender
  }

  private func forEachControl(_ body: (Int32, Int32, ArraySlice<UInt8>) -> Void) {
    var rest = control[...]
    while rest.count >= 16 {
      let length = rest.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
      guard length >= 16, length <= rest.count else { return }
      let level = rest.dropFirst(8).prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      let type = rest.dropFirst(12).prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      body(Int32(bitPattern: level), Int32(bitPattern: type), rest.prefix(length).dropFirst(16))
      rest = rest.dropFirst((length + 7) & ~7)
    }
  }
}

/// A descriptor that can lie in an array.
package final class OwnedDescriptorBox: Sendable {
  package let descriptor: OwnedDescriptor
  package init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }
}
