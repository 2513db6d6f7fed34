import BinaryCodec
import LinuxSystem

// A process has inherited what we opened, under high numbers; now each gets its own.
extension ProcessBuilder {
  func placeDescriptors() throws(CheckpointError) {
    let numbers = try receiveDescriptions()
    for index in numbers.keys.sorted() {
      try restoration.kind(ofDescription: index)
        .prepare(restoration.state.descriptions[Int(index)], in: self)
    }
    var next: UInt64 = 0
    for descriptor in state.descriptors.sorted(by: { $0.number < $1.number }) {
      guard descriptor.number >= 0, UInt64(descriptor.number) >= next,
        let present = try restoration.standardNumber(
          descriptor.number, ofDescription: descriptor.description)
          ?? numbers[descriptor.description]
      else { throw .malformed(.outOfRange(16)) }
      let number = UInt64(descriptor.number)
      if number > next { try call(.closeRange, "close_range", next, number - 1, 0) }
      try call(
        .dup3, "dup3", present, number, descriptor.closesOnExec ? Self.closeOnExec : 0)
      next = number + 1
    }
    try call(.closeRange, "close_range", next, UInt64(UInt32.max), 0)
  }

  /// Under which number each description is here that this process will have.
  private func receiveDescriptions() throws(CheckpointError) -> [UInt32: UInt64] {
    var numbers: [UInt32: UInt64] = [:]
    for index in Set(state.descriptors.map(\.description)).sorted() {
      if let number = try restoration.number(ofDescription: index) {
        numbers[index] = number
      } else {
        numbers[index] = try receive(index)
      }
    }
    received = numbers
    return numbers
  }

  private func receive(_ index: UInt32) throws(CheckpointError) -> UInt64 {
    try receive { () throws(CheckpointError) in try restoration.pass(description: index) }
  }

  /// Gives the process a descriptor for this moment; returns its number there.
  func receive(_ file: borrowing OwnedDescriptor) throws(CheckpointError) -> UInt64 {
    try receive { () throws(CheckpointError) in try restoration.pass(file) }
  }

  /// Takes what is passed, and moves it out of the way of the numbers to come.
  private func receive(
    _ pass: () throws(CheckpointError) -> UInt64
  ) throws(CheckpointError) -> UInt64 {
    let socket = try pass()
    let receipt = try put(words: DescriptorPassage.receipt(at: injector.argumentAddress))
    try call(.recvmsg, "recvmsg", socket, receipt, 0)
    let got = try inside(id) { () throws(InjectionError) in
      try injector.get(4, at: DescriptorPassage.numberOffset)
    }
    let number = UInt64(got.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
    let lowest = UInt64(UInt32(bitPattern: restoration.lowestNumber))
    if number >= lowest { return number }
    let moved = try inside(id) { () throws(InjectionError) in
      try injector.call(.fcntl, "fcntl", [number, 0, lowest])  // F_DUPFD
    }
    try call(.close, "close", number)
    return UInt64(moved)
  }

  /// The number that a description has in this process for now; nil for one that is not there. What leads outside
  /// is another file under each of the standard numbers.
  func present(
    _ description: UInt32, as standard: Int32 = -1
  ) throws(CheckpointError) -> UInt64? {
    if let number = try restoration.standardNumber(standard, ofDescription: description) {
      return number
    }
    if let number = received[description] { return number }
    if let number = try restoration.number(ofDescription: description) { return number }
    // One that came to be after the processes, and that is none of this one.
    let number = try receive(description)
    received[description] = number
    return number
  }

  /// Opens what is something else to each process, such as /dev/tty.
  func open(_ path: String, flags: UInt32) throws(CheckpointError) -> OwnedDescriptor {
    guard path.utf8.count < 4096 else { throw .malformed(.outOfRange(1)) }
    let name = try put(path.pathBytes + [0])
    let flags = flags & ~OpenFlags.ofTheFirstTime | OpenFlags.noTerminal
    let number = try inside(id) { () throws(InjectionError) in
      try injector.call(.open, "open", [name, UInt64(flags) | Self.closeOnExec, 0])
    }
    return try surrender(UInt64(number))
  }

  /// What the process has under a number, for us; the process lets go of it.
  func surrender(_ number: UInt64) throws(CheckpointError) -> OwnedDescriptor {
    let id = id
    let file = try about(id) { () throws(SystemCallError) in
      try id.openDescriptor().takeDescriptor(Int32(truncatingIfNeeded: number))
    }
    try call(.close, "close", number)
    return file
  }

  static let closeOnExec: UInt64 = 0o2000000
}
