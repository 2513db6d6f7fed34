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
  /// The packet filter: `struct sock_filter` in a row.
  var filter: [UInt8] = []
  /// Those whose value is the number of an interface, which may be another after a reboot.
  var interfaces: [Interface] = []

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

  struct Interface: FieldCoded, Equatable {
    var level: Int32 = 0
    var number: Int32 = 0
    var name = ""

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &level)
      try coder.field(2, &number)
      try coder.field(3, &name)
    }
  }

  mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &values)
    try coder.field(2, &lockedBuffers)
    try coder.field(3, &sendBuffer)
    try coder.field(4, &receiveBuffer)
    try coder.field(5, &user)
    try coder.field(6, &group)
    try coder.field(7, &filter)
    try coder.field(8, &interfaces)
    guard filter.count % 8 == 0, filter.count <= 8 * Self.filterLimit else { throw .outOfRange(7) }
  }

  /// BPF_MAXINSNS
  private static let filterLimit = 4096

  init() {}

  /// Those of a socket. Throws `obstacles` for what can be set and not be had back.
  init(of seen: SeenDescriptor, _ known: [(level: Int32, numbers: [Int32])]) throws(CheckpointError)
  {
    let (here, there, packetFilter) = try about(seen.process) { () throws(SystemCallError) in
      (
        try Files.linkTarget("/proc/self/ns/net"),
        try Files.linkTarget("\(seen.process.folder)/ns/net"), try seen.copy.packetFilter()
      )
    }
    if here != there { throw seen.obstacle("it is in another network namespace") }
    if seen.copy.isBoundToMissingInterface() {
      throw seen.obstacle("it is bound to an interface that is no longer there")
    }
    switch packetFilter {
    case .none: break
    case .classic(let instructions): filter = instructions
    case .program:
      throw seen.obstacle(
        "it has a filter that is a program of bpf(2), which nobody can read back",
        remedy: "let the program take its filter away first")
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

  /// Takes options down whose value is an interface's number; `isSwapped`: in network order.
  mutating func addInterface(
    of seen: SeenDescriptor, _ level: Int32, _ number: Int32, isSwapped: Bool
  ) throws(CheckpointError) {
    let found = try about(seen.process) { () throws(SystemCallError) in
      try seen.copy.number(ofOption: number, level: level)
    }
    let index = isSwapped ? found.byteSwapped : found
    if index == 0 { return }
    guard let name = NetworkInterface.name(of: index) else {
      throw seen.obstacle("it sends through an interface that is no longer there")
    }
    var interface = Interface()
    (interface.level, interface.number, interface.name) = (level, number, name)
    interfaces.append(interface)
  }

  /// All but the filter.
  func set(on file: borrowing OwnedDescriptor) throws(SystemCallError) {
    for value in values {
      guard value.bytes.count <= 128, (value.level, value.number) != Number.filterLock else {
        continue
      }
      if try file.option(value.level, value.number) == value.bytes { continue }
      try file.setOption(value.level, value.number, value.bytes)
    }
    for interface in interfaces { try Self.set(interface, on: file) }
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

  private static func set(
    _ interface: Interface, on file: borrowing OwnedDescriptor
  ) throws(SystemCallError) {
    guard let index = NetworkInterface.index(of: interface.name) else {
      throw SystemCallError(
        call: "if_nametoindex", subject: interface.name, errno: .noSuchAddressOrDevice)
    }
    // UNICAST_IF of both levels wants the order of the network.
    let isSwapped = interface.number == 50 || interface.number == 76
    try file.setOption(
      interface.number, level: interface.level, to: isSwapped ? index.byteSwapped : index)
  }

  /// When what is in the queue went past it, or nothing has come yet.
  func attachFilter(to file: borrowing OwnedDescriptor) throws(SystemCallError) {
    if !filter.isEmpty { try file.attachFilter(filter) }
    for value in values
    where (value.level, value.number) == Number.filterLock && value.bytes.first == 1 {
      try file.setOption(value.level, value.number, value.bytes)
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

  /// Lets a socket send for a moment whatever it had sent; returns what `settle` needs.
  static func makeRoom(
    to send: borrowing OwnedDescriptor
  ) throws(SystemCallError) -> (size: UInt32, locks: UInt32) {
    let before = try send.number(ofOption: Number.sendBuffer)
    let locks = try send.number(ofOption: Number.lockedBuffers)
    try set(send, Number.sendBuffer, 1 << 30)
    return (before, locks)
  }

  static func settle(
    _ file: borrowing OwnedDescriptor, _ before: (size: UInt32, locks: UInt32)
  ) throws(SystemCallError) {
    try set(file, Number.sendBuffer, before.size)
    try file.setOption(Number.lockedBuffers, to: before.locks)
  }

  private enum Number {
    static let sendBuffer: Int32 = 7
    static let receiveBuffer: Int32 = 8
    static let lockedBuffers: Int32 = 72
    /// SO_LOCK_FILTER
    static let filterLock: (Int32, Int32) = (1, 44)
  }

  /// Of all families, by SO_ number: DONTROUTE, BROADCAST, KEEPALIVE, OOBINLINE, NO_CHECK, PRIORITY, LINGER, RCVLOWAT,
  /// RCVTIMEO, SNDTIMEO, BINDTODEVICE, TIMESTAMP, PASSSEC, TIMESTAMPNS, MARK, TIMESTAMPING, RXQ_OVFL,
  /// WIFI_STATUS, NOFCS, LOCK_FILTER, SELECT_ERR_QUEUE, BUSY_POLL, MAX_PACING_RATE, ZEROCOPY, TXTIME, TIMESTAMP_NEW,
  /// TIMESTAMPNS_NEW, TIMESTAMPING_NEW, PREFER_BUSY_POLL, TXREHASH, RCVMARK, RCVPRIORITY.
  static let general: [Int32] = [
    5, 6, 9, 10, 11, 12, 13, 18, 20, 21, 25, 29, 34, 35, 36, 37, 40, 41, 43, 44, 45, 46, 47, 60, 61,
    63, 64, 65, 69, 74, 75, 82,
  ]
}
