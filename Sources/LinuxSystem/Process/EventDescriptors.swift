import Glibc
import SystemPackage

// Descriptors that are no files: counters, timers, signals and sets of others.
extension OwnedDescriptor {
  /// A counter: eventfd(2), with its flags.
  package static func eventCounter(
    _ count: UInt64, flags: UInt32
  ) throws(SystemCallError) -> OwnedDescriptor {
    let counter = try made(.eventfd2, "eventfd", 0, Int(flags | UInt32(O_CLOEXEC)))
    if count > 0 {
      var value = [count]
      let name = counter.name
      let descriptor = counter.descriptor
      try withAddress(of: &value) { (address) throws(SystemCallError) in
        try kernelCall(.write, "write", on: name, Int(descriptor), address, 8)
      }
    }
    return counter
  }

  /// Signals that wait for whoever reads: signalfd(2), with its flags; bit n - 1 for signal n.
  package static func signals(
    _ mask: UInt64, flags: UInt32
  ) throws(SystemCallError) -> OwnedDescriptor {
    var mask = [mask]
    let descriptor = try withAddress(of: &mask) { (address) throws(SystemCallError) in
      try kernelCall(
        .signalfd4, "signalfd", on: "signals", -1, address, 8, Int(flags | UInt32(O_CLOEXEC)))
    }
    return OwnedDescriptor(owning: CInt(descriptor), name: "signals")
  }

  /// An empty set of descriptors to wait for: epoll_create1(2).
  package static func eventPoll() throws(SystemCallError) -> OwnedDescriptor {
    try made(.epollCreate1, "epoll_create1", Int(O_CLOEXEC))
  }

  /// A timer of a clock: timerfd_create(2), with its flags.
  package static func timer(
    clock: Int32, flags: UInt32
  ) throws(SystemCallError) -> OwnedDescriptor {
    try made(.timerfdCreate, "timerfd_create", Int(clock), Int(flags | UInt32(O_CLOEXEC)))
  }

  /// Interval and value of a timer, each seconds and nanoseconds.
  package borrowing func timerValue() throws(SystemCallError) -> [UInt64] {
    var words: [UInt64] = [0, 0, 0, 0]
    let (descriptor, name) = (descriptor, name)
    try withAddress(of: &words) { (address) throws(SystemCallError) in
      try kernelCall(.timerfdGettime, "timerfd_gettime", on: name, Int(descriptor), address)
    }
    return words
  }

  /// Starts a timer; the same words.
  package borrowing func setTimer(
    _ words: [UInt64], flags: UInt32
  ) throws(SystemCallError) {
    precondition(words.count == 4)
    var words = words
    let (descriptor, name) = (descriptor, name)
    try withAddress(of: &words) { (address) throws(SystemCallError) in
      try kernelCall(
        .timerfdSettime, "timerfd_settime", on: name, Int(descriptor), Int(flags), address, 0)
    }
  }

  /// Lets a timer have run out so many times that nobody has read (TFD_IOC_SET_TICKS).
  package borrowing func setTimerTicks(_ ticks: UInt64) throws(SystemCallError) {
    var ticks = [ticks]
    try request("ioctl(TFD_IOC_SET_TICKS)", 0x4008_5400, &ticks)
  }

  /// ioctl(2) with words that it reads or fills.
  @discardableResult
  package borrowing func request<Word: BitwiseCopyable>(
    _ name: StaticString, _ number: Int, _ words: inout [Word]
  ) throws(SystemCallError) -> Int {
    let (descriptor, subject) = (descriptor, self.name)
    return try withAddress(of: &words) { (address) throws(SystemCallError) in
      try kernelCall(.ioctl, name, on: subject, Int(descriptor), number, address)
    }
  }

  /// ioctl(2) with a number.
  @discardableResult
  package borrowing func request(
    _ name: StaticString, _ number: Int, _ argument: Int = 0
  ) throws(SystemCallError) -> Int {
    try kernelCall(.ioctl, name, on: self.name, Int(descriptor), number, argument)
  }

  private static func made(
    _ call: KernelCall, _ name: StaticString, _ arguments: Int...
  ) throws(SystemCallError) -> OwnedDescriptor {
    let descriptor = try kernelCall(
      call, name, on: "a descriptor", arguments[0], arguments.count > 1 ? arguments[1] : 0)
    return OwnedDescriptor(owning: CInt(descriptor), name: name.description)
  }
}

extension ProcessID {
  /// Whether a descriptor of this process is the file that an epoll set of another one has under a number;
  /// `occurrence` counts from 0 among the entries with this number, in the order of fdinfo.
  package func holds(
    _ mine: Int32, asEntry number: Int32, occurrence: Int32, ofSet set: Int32, in other: ProcessID
  ) throws(SystemCallError) -> Bool {
    var slot = [
      UInt32(bitPattern: set), UInt32(bitPattern: number), UInt32(bitPattern: occurrence),
    ]
    let process = self
    return try withAddress(of: &slot) { (address) throws(SystemCallError) in
      try kernelCall(
        .kcmp, "kcmp", on: "processes \(process) and \(other)", Int(process.number),
        Int(other.number), 7, Int(mine), address)
    } == 0
  }
}

extension Machine {
  /// What a clock of clock_gettime(2) shows, in nanoseconds.
  package static func nanoseconds(ofClock clock: Int32) -> Int64 {
    var time = timespec()
    guard unsafe clock_gettime(clock, &time) == 0 else { return 0 }
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// How many descriptors this process may have open.
  package static func descriptorLimit() -> Int {
    var limit: [UInt64] = [0, 0]
    do throws(SystemCallError) {
      try withAddress(of: &limit) { (address) throws(SystemCallError) in
        try kernelCall(.prlimit64, "prlimit", on: "descriptors", 0, 7, 0, address)
      }
    } catch {
      return .max
    }
    return Int(clamping: limit[0])
  }

  /// Allows this process as many descriptors as may be.
  package static func allowManyDescriptors() {
    var limit: [UInt64] = [0, 0]
    do throws(SystemCallError) {
      // RLIMIT_NOFILE
      try withAddress(of: &limit) { (address) throws(SystemCallError) in
        try kernelCall(.prlimit64, "prlimit", on: "descriptors", 0, 7, 0, address)
      }
      limit[0] = limit[1]
      try withAddress(of: &limit) { (address) throws(SystemCallError) in
        try kernelCall(.prlimit64, "prlimit", on: "descriptors", 0, 7, address, 0)
      }
    } catch {
      // Fewer then: what does not fit is said where it does not.
    }
  }
}
