import LinuxSystem

/// What no kind of descriptor can save, each in words of its own, with the way around it.
enum UnsavableDescriptor {
  /// Nil for what some kind may have.
  static func obstacle(_ seen: SeenDescriptor) -> CheckpointError? {
    let link = seen.info.link
    for (name, reason, remedy) in names where link.hasPrefix(name) {
      return seen.obstacle(reason, remedy: remedy)
    }
    if seen.details.kind == .socket { return socketObstacle(seen) }
    guard seen.details.kind == .regular, let filesystem = try? seen.copy.filesystemType() else {
      return nil
    }
    return switch filesystem {
    case 0x1980_0202: seen.obstacle("it is a message queue of mq_open(3)", remedy: closeFirst)
    case 0x6e73_6673: seen.obstacle("it stands for a namespace", remedy: closeFirst)
    default: nil
    }
  }

  /// For what no kind knows.
  static func unknown(_ seen: SeenDescriptor) -> CheckpointError {
    let (major, minor) = seen.details.nodeNumbers
    return switch seen.details.kind {
    case .character:
      seen.obstacle(
        "it is the device \(major):\(minor), of which only its driver knows how it is used",
        remedy: closeFirst)
    case .block:
      seen.obstacle("it is the block device \(major):\(minor)", remedy: closeFirst)
    default: seen.obstacle("it is of a kind that can't be saved")
    }
  }

  private static let closeFirst = "let the program close it first"

  /// By how /proc names them.
  private static let names: [(String, reason: String, remedy: String)] = [
    (
      "anon_inode:[io_uring]", "it is a ring of io_uring(7), whose work the kernel keeps to itself",
      "start the program without it: many have a setting, as node UV_USE_IO_URING=0, and mariadbd --innodb-use-native-aio=0"
    ),
    (
      "anon_inode:[userfaultfd]", "it handles faults of memory (userfaultfd)",
      "save it when the program has closed it"
    ),
    ("anon_inode:[fanotify]", "it watches whole filesystems (fanotify)", closeFirst),
    (
      "anon_inode:[perf_event]", "it counts events of the processor (perf_event_open)",
      "end the profiler first"
    ),
    ("anon_inode:bpf", "it is an object of bpf(2), which lives in the kernel", closeFirst),
    ("anon_inode:[landlock-ruleset]", "it is a set of rules of landlock(7)", closeFirst),
    (
      "anon_inode:seccomp notify", "it answers for the system calls of others (seccomp)",
      closeFirst
    ),
    ("anon_inode:kvm", "it is a virtual machine", "save the guest by means of its own"),
    ("anon_inode:[fscontext]", "it is a filesystem that is being mounted", closeFirst),
    ("anon_inode:dma", "it is memory of a device", closeFirst),
    ("/dmabuf:", "it is memory of a device", closeFirst),
    ("anon_inode:sync_file", "it waits for a device", closeFirst),
  ]

  private static func socketObstacle(_ seen: SeenDescriptor) -> CheckpointError? {
    guard let family = seen.socketFamily, let reason = families[family] else { return nil }
    // What leads outside is given another in its place.
    return seen.obstacle(reason, remedy: closeFirst)
  }

  private static let families: [Int32: String] = [
    15: "it is a socket of the kernel's keys (AF_KEY)",
    17: "it is a packet socket, which receives from an interface itself",
    29: "it is a socket of a CAN bus", 31: "it is a Bluetooth socket",
    38: "it is a socket of the kernel's cryptography (AF_ALG)",
    40: "it is a socket between virtual machines (AF_VSOCK)",
    44: "it is a socket of AF_XDP, which shares memory with an interface",
  ]
}
