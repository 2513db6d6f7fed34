import BinaryCodec
import LinuxSystem
import SystemPackage

/// Options of a socket that somebody may have set. All that can be read are saved; back go those in which a
/// fresh socket differs.
struct SocketOptions: FieldCoded, Equatable {
  var values: [Value] = []
  /// Buffers that somebody chose (SO_BUF_LOCK): 1 for the sending, 2 for the receiving one.
  var lockedBuffers: UInt32 = 0
  var sendBuffer: UInt32 = 0
  var receiveBuffer: UInt32 = 0
  /// Who owns it.
  var user: UInt32 = 0
  var group: UInt32 = 0

  struct Value: FieldCoded, Equatable {
    var level: Int32 = 0
    var number: Int32 = 0
    var bytes: [UInt8] = []

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &level)
      try coder.field(2, &number)
      try coder.field(3, &bytes)
    }
  }

  mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &values)
    try coder.field(2, &lockedBuffers)
    try coder.field(3, &sendBuffer)
    try coder.field(4, &receiveBuffer)
    try coder.field(5, &user)
    try coder.field(6, &group)
  }

  init() {}

  /// Those of a socket. Throws `obstacles` for what can be set and not be had back.
  init(of seen: SeenDescriptor, _ known: [(level: Int32, numbers: [Int32])]) throws(CheckpointError)
  {
    if let reason = try about(
      seen.process,
      { () throws(SystemCallError) in
        try Self.whatCannotBeHad(seen)
      })
    {
      throw seen.obstacle(reason)
    }
    try about(seen.process) { () throws(SystemCallError) in
      (user, group) = (seen.details.user, seen.details.group)
      lockedBuffers = try seen.copy.number(ofOption: Number.lockedBuffers)
      sendBuffer = try seen.copy.number(ofOption: Number.sendBuffer)
      receiveBuffer = try seen.copy.number(ofOption: Number.receiveBuffer)
      for (level, numbers) in known {
        for number in numbers {
          guard let bytes = try seen.copy.option(level, number) else { continue }
          var value = Value()
          (value.level, value.number, value.bytes) = (level, number, bytes)
          values.append(value)
        }
      }
    }
  }

  private static func whatCannotBeHad(_ seen: SeenDescriptor) throws(SystemCallError) -> String? {
    let here = try Files.linkTarget("/proc/self/ns/net")
    if try Files.linkTarget("\(seen.process.folder)/ns/net") != here {
      return "it is in another network namespace"
    }
    if try seen.copy.packetFilterLength() > 0 { return "it has a packet filter" }
    return nil
  }

  func set(on file: borrowing OwnedDescriptor) throws(SystemCallError) {
    for value in values {
      guard value.bytes.count <= 128 else { continue }
      if try file.option(value.level, value.number) == value.bytes { continue }
      try file.setOption(value.level, value.number, value.bytes)
    }
    if lockedBuffers & 1 != 0 { try Self.set(file, Number.sendBuffer, sendBuffer) }
    if lockedBuffers & 2 != 0 { try Self.set(file, Number.receiveBuffer, receiveBuffer) }
    if try file.number(ofOption: Number.lockedBuffers) != lockedBuffers {
      try file.setOption(Number.lockedBuffers, to: lockedBuffers)
    }
    let details = try file.details()
    if (details.user, details.group) != (user, group) {
      try file.set(user: user, group: group)
    }
  }

  /// The kernel doubles what it is told. Beyond the limits for all it wants a right that we may not have.
  private static func set(
    _ file: borrowing OwnedDescriptor, _ number: Int32, _ value: UInt32
  ) throws(SystemCallError) {
    let forced: Int32 = number == Number.sendBuffer ? 32 : 33  // SO_SNDBUFFORCE, SO_RCVBUFFORCE
    do throws(SystemCallError) {
      try file.setOption(forced, to: value / 2)
    } catch  where error.errno == .notPermitted {
      try file.setOption(number, to: value / 2)
    }
  }

  private enum Number {
    static let sendBuffer: Int32 = 7
    static let receiveBuffer: Int32 = 8
    static let lockedBuffers: Int32 = 72
  }

  /// Of all families, by SO_ number: DONTROUTE, BROADCAST, KEEPALIVE, OOBINLINE, PRIORITY, LINGER, RCVLOWAT,
  /// RCVTIMEO, SNDTIMEO, BINDTODEVICE, TIMESTAMP, PASSSEC, TIMESTAMPNS, MARK, TIMESTAMPING, RXQ_OVFL, NOFCS,
  /// LOCK_FILTER, BUSY_POLL, ZEROCOPY, TXTIME, TIMESTAMP_NEW, TIMESTAMPNS_NEW, TIMESTAMPING_NEW,
  /// PREFER_BUSY_POLL, TXREHASH.
  static let general: [Int32] = [
    5, 6, 9, 10, 12, 13, 18, 20, 21, 25, 29, 34, 35, 36, 37, 40, 43, 44, 46, 60, 61, 63, 64, 65, 69,
    74,
  ]
}
