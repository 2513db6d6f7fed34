import CLinux
import SystemPackage

/// Who else uses a file or disk that we are about to write.
///
/// /proc and /sys are read as what they are, text from somewhere else: names may hold anything, lines may
/// be broken, and what does not parse counts for nothing. So nil is not a promise; opening a block device
/// exclusively is one, as far as the kernel knows.
package enum DeviceUse: Equatable, Sendable {
  /// It backs this loop device, such as `loop0`.
  case loop(name: String)
  /// It, or a partition of it, is mounted there.
  case mounted(at: String)
  /// This device is made of it, or of a partition of it, such as `md0` or `dm-3`.
  case holder(name: String)
  /// It, or a partition of it, is swap space.
  case swap
  /// The kernel refuses to open it exclusively and nothing above says why.
  case busy

  /// Looks for the first use there is; nil when none was found.
  package static func find(_ path: String) throws(SystemCallError) -> DeviceUse? {
    let status = try Files.status(of: path)
    return find(status.identity, path: path, under: "")
  }

  /// As above; `root` stands before /proc and /sys, for tests.
  static func find(_ identity: FileIdentity, path: String, under root: String) -> DeviceUse? {
    if let name = loopDevice(on: identity, root) { return .loop(name: name) }
    guard identity.isBlockDevice else { return isSwap([identity], root) ? .swap : nil }
    let numbers = [identity.deviceNumber] + partitions(of: identity.deviceNumber, root)
    if let place = mountPoint(of: numbers, root) { return .mounted(at: place) }
    for number in numbers {
      let holders = names(in: "\(root)/sys/dev/block/\(number)/holders")
      if let name = holders.first { return .holder(name: name) }
    }
    if isSwap(numbers.compactMap(FileIdentity.init(deviceNumber:)), root) { return .swap }
    return isRefused(path) ? .busy : nil
  }

  /// The loop device whose backing file this is.
  private static func loopDevice(on identity: FileIdentity, _ root: String) -> String? {
    names(in: "\(root)/sys/block").first { name in
      guard name.hasPrefix("loop"), name.utf8.dropFirst(4).allSatisfy({ 48...57 ~= $0 }),
        let backing = line(of: "\(root)/sys/block/\(name)/loop/backing_file")
      else { return false }
      if (try? Files.identity(of: backing)) == identity { return true }
      // The path may be another mount namespace's, or the file renamed: ask the device itself.
      return !identity.isBlockDevice && loopNode("/dev/\(name)", backs: identity)
    }
  }

  private static func loopNode(_ path: String, backs identity: FileIdentity) -> Bool {
    guard (try? Files.kind(of: path)) == .block,
      let node = try? OwnedDescriptor.open(path, access: .readOnly),
      let backing = try? node.loopBacking
    else { return false }
    return backing.device == identity.device && backing.inode == identity.inode
  }

  /// The numbers of a disk's partitions.
  private static func partitions(of number: String, _ root: String) -> [String] {
    let directory = "\(root)/sys/dev/block/\(number)"
    return names(in: directory).compactMap { name in
      guard Files.exists("\(directory)/\(name)/partition") else { return nil }
      return line(of: "\(directory)/\(name)/dev")
    }
  }

  /// Where the first of these devices that is mounted is mounted.
  private static func mountPoint(of numbers: [String], _ root: String) -> String? {
    for line in lines(of: "\(root)/proc/self/mountinfo") {
      // 36 35 98:0 /root /mount/point options [optional…] - type source options
      let fields = line.split(separator: " ")
      guard fields.count > 4 else { continue }
      var isSame = numbers.contains(String(fields[2]))
      // A filesystem on several devices (btrfs) has a number of its own, but names one of them.
      if !isSame, let dash = fields.firstIndex(of: "-"), fields.count > dash + 2 {
        let source = unescape(fields[dash + 2])
        if source.hasPrefix("/"), let other = try? Files.identity(of: source) {
          isSame = other.isBlockDevice && numbers.contains(other.deviceNumber)
        }
      }
      if isSame { return unescape(fields[4]) }
    }
    return nil
  }

  private static func isSwap(_ identities: [FileIdentity], _ root: String) -> Bool {
    lines(of: "\(root)/proc/swaps").contains { line in
      guard let path = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).first,
        path.hasPrefix("/"), let identity = try? Files.identity(of: unescape(path))
      else { return false }
      return identities.contains(identity)
    }
  }

  private static func isRefused(_ path: String) -> Bool {
    do throws(SystemCallError) {
      _ = try OwnedDescriptor.open(path, access: .readOnly, options: .exclusive)
      return false
    } catch {
      return error.errno == .resourceBusy
    }
  }

  /// Undoes the octal escapes (`\040`) with which the kernel writes paths.
  static func unescape(_ text: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      let digits = rest.prefix(3)
      let isEscape = byte == UInt8(ascii: "\\") && digits.count == 3
      if isEscape, digits.allSatisfy({ 48...55 ~= $0 }) {
        bytes.append(UInt8(truncatingIfNeeded: digits.reduce(0) { $0 * 8 + Int($1 - 48) }))
        rest = rest.dropFirst(3)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func names(in directory: String) -> [String] {
    (try? Files.list(directory)) ?? []
  }

  private static func lines(of path: String) -> [Substring] {
    guard let bytes = try? Files.contents(of: path) else { return [] }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
  }

  private static func line(of path: String) -> String? {
    guard let bytes = try? Files.contents(of: path, limit: 64 << 10) else { return nil }
    let text = String(decoding: bytes, as: UTF8.self)
    return text.hasSuffix("\n") ? String(text.dropLast()) : text
  }
}

extension FileIdentity {
  /// A block device by its number as sysfs writes it; nil for what is no such number.
  init?(deviceNumber: String) {
    let parts = deviceNumber.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let major = UInt32(parts[0]), let minor = UInt32(parts[1]) else {
      return nil
    }
    self.init(device: clinux_device(major, minor), inode: 0, isBlockDevice: true)
  }
}

extension OwnedDescriptor {
  /// The file behind an open loop device.
  fileprivate var loopBacking: (device: UInt64, inode: UInt64) {
    get throws(SystemCallError) {
      var backing: (device: UInt64, inode: UInt64) = (0, 0)
      let descriptor = descriptor
      try systemCall("ioctl(LOOP_GET_STATUS64)", on: name) {
        unsafe clinux_loop_backing(descriptor, &backing.device, &backing.inode)
      }
      return backing
    }
  }
}
