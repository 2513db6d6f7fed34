import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import Raid

/// Members of an array as the user named them, opened and held.
struct MemberFiles {
  /// How the members will be used.
  enum Use {
    /// Read, without holding anything: what is there may be changing.
    case look
    /// Read; nobody may write meanwhile.
    case read
    /// Written; nobody else may even read.
    case write
  }

  private(set) var devices: [any BlockDevice] = []

  /// Opens members and takes the locks that the use needs.
  ///
  /// - Parameters:
  ///   - wait: how long to wait for another process to let go.
  init(
    _ paths: [MemberPath], for use: Use, direct: Bool = false, wait: Duration? = nil,
    context: CommandContext
  ) throws(Failure) {
    for path in paths where !path.isMissing {
      let device: any BlockDevice
      do throws(MemberPathError) {
        device = try path.open(
          access: use == .write ? .readWrite : .readOnly, direct: direct,
          exclusive: use == .write)
      } catch {
        throw Failure(error, path)
      }
      if use == .write { try Self.requireUnused(path) }
      devices.append(device)
    }
    try requireDistinct()
    if use != .look { try hold(use, wait: wait, context: context) }
  }

  /// From now on what maps say was not rescued can't be read.
  mutating func hide(_ holes: HolesOption) throws(Failure) { devices = try holes.hide(in: devices) }

  /// Says who else uses what is about to be written.
  private static func requireUnused(_ path: MemberPath) throws(Failure) {
    let use: DeviceUse?
    do throws(SystemCallError) { use = try DeviceUse.find(path.path) } catch {
      throw Failure(error)
    }
    guard let use else { return }
    throw Failure(
      .busy, "\(path) is in use: \(use.sentence)", hint: "let go of it there, and try again")
  }

  private func requireDistinct() throws(Failure) {
    for (index, device) in devices.enumerated() {
      guard let (file, range) = Self.file(of: device) else { continue }
      for other in devices[..<index] {
        guard let (otherFile, otherRange) = Self.file(of: other),
          file.identity == otherFile.identity, range.overlaps(otherRange)
        else { continue }
        throw Failure(.usage, "\(other.name) and \(device.name) are the same file")
      }
    }
  }

  /// Refuses to copy from or to a file that is a member itself, or has one in it.
  func requireNoMember(_ identity: FileIdentity, named name: String) throws(Failure) {
    for device in devices where Self.file(of: device)?.0.identity == identity {
      let member = device.name == name ? "" : ", \(device.name)"
      throw Failure(
        .usage, "\(name) is a member of the array\(member)",
        hint: "an array is not copied from or to its own members: choose another file")
    }
  }

  /// Refuses to write over a file that has a superblock: it may be a member, of this array or of another, although it
  /// was not named.
  static func requireNoSuperblock(_ path: String) throws(Failure) {
    // A pipe would be waited for.
    let kind = try? Files.kind(of: path)
    guard kind == .regular || kind == .block, let known = try? MemberPath(parsing: path),
      let device = try? known.open(access: .readOnly)
    else { return }
    let array: String
    do throws(RaidError) {
      array = try MemberProbe(device).superblock.name
    } catch .notStartable(.unreadableSuperblock(_, .absent)) {
      guard let former = try? MetadataErasure.formerArray(of: device) else { return }
      array = former.description
    } catch {
      throw Failure(
        .wouldOverwrite, "\(path) may be a member of an array: \(Failure(error).message)",
        hint: "choose another file, or remove this one if nobody needs it")
    }
    throw Failure(
      .wouldOverwrite,
      "\(path) is a member of an array" + (array.isEmpty ? "" : ", \(array)"),
      hint: "choose another file, or remove this one if nobody needs it")
  }

  /// The file behind a device, and which of its bytes.
  static func file(of device: any BlockDevice) -> (FileDevice, Range<Int>)? {
    if let rescued = device as? RescuedDevice { return file(of: rescued.device) }
    if let file = device as? FileDevice { return (file, 0..<file.byteCount) }
    if let window = device as? DeviceWindow, let file = window.device as? FileDevice {
      return (file, window.range)
    }
    return nil
  }

  private func hold(
    _ use: Use, wait: Duration?, context: CommandContext
  ) throws(Failure) {
    let mode: LockMode = use == .write ? .exclusive : .shared
    let deadline = wait.map { ContinuousClock.now + $0 }
    for device in devices {
      // An empty file, which is no member, has nothing to hold.
      guard let (file, range) = Self.file(of: device), !range.isEmpty else { continue }
      while true {
        let isHeld: Bool
        do throws(SystemCallError) {
          isHeld = try file.tryLock(mode, range: range)
        } catch {
          throw Failure(error)
        }
        if isHeld { break }
        guard let deadline, ContinuousClock.now < deadline else {
          throw Failure(
            .busy, "\(device.name) is held by another running ftool",
            hint: "try again when it has ended, or wait for it with --wait DURATION")
        }
        try context.stop.check(resuming: "nothing was changed")
        Machine.sleep(seconds: 0.1)
      }
    }
  }
}

extension DeviceUse {
  /// For an error's sentence.
  var sentence: String {
    switch self {
    case .loop(let name): "it backs the loop device \(name)"
    case .mounted(let place): "it is mounted at \(place)"
    case .holder(let name): "\(name) is made of it"
    case .swap: "it is swap space"
    case .busy: "the kernel says that it is busy"
    }
  }
}

extension Failure {
  /// A path that leads to no member.
  init(_ error: MemberPathError, _ path: MemberPath) {
    switch error {
    case .cannotOpen(let error): self.init(error)
    case .isMissing: self.init(.usage, "'missing' is no member that could be opened")
    case .malformed:
      self.init(
        .usage,
        "'\(path)' names no member: what stands behind '@' or '#' is no offset, size or number")
    case .outside(let byteCount):
      self.init(
        .usage, "'\(path)' names no member: the device has \(ByteSize(byteCount).exactDescription)")
    case .noSuchPartition(let number, let present):
      let known = present.map(String.init).joined(separator: ", ")
      self.init(
        .notFound, "\(path.path) has no partition \(number)",
        hint: present.isEmpty ? nil : "it has \(known)")
    case .partitionTable(.device(let error)): self.init(error, on: path.path)
    case .partitionTable(.none):
      self.init(.notFound, "\(path.path) has no partition table, and so no partitions")
    case .partitionTable(.damaged):
      self.init(
        .damaged, "the partition table of \(path.path) is damaged",
        hint: "'\(path.path)@OFFSET+SIZE' names a part of it without a table")
    }
  }
}
