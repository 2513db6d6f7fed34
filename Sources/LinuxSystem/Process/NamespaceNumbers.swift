/// The numbers of processes in pid namespaces (pid_namespaces(7)).
extension ProcessStatus {
  /// The number of the process or thread in each pid namespace that it is in, from that of /proc inwards.
  package var nestedNumbers: [Int32] { nested("NSpid") }
  /// The same of its process group and its session; 0 where that is outside of a namespace.
  package var nestedProcessGroups: [Int32] { nested("NSpgid") }
  package var nestedSessions: [Int32] { nested("NSsid") }

  private func nested(_ key: String) -> [Int32] {
    numbers(key).map { Int32(truncatingIfNeeded: $0) }
  }
}

extension ProcessID {
  /// The lines of uid_map or gid_map: first number inside, first number outside, how many.
  package func numberMap(_ name: String) throws(SystemCallError) -> [[UInt64]] {
    let text = String(decoding: try Files.contents(of: "\(folder)/\(name)"), as: UTF8.self)
    return text.split(separator: "\n").map { line in
      line.split(separator: " ").compactMap { UInt64($0) }
    }
  }

  /// What is mounted where for the process: device, folder on it, and place, of each mount but those of
  /// /proc.
  package func mounts() throws(SystemCallError) -> Set<[String]> {
    let text = String(decoding: try Files.contents(of: "\(folder)/mountinfo"), as: UTF8.self)
    var mounts: Set<[String]> = []
    for line in text.split(separator: "\n") {
      // 36 35 98:0 /mnt1 /mnt2 rw,noatime ...
      let fields = line.split(separator: " ")
      guard fields.count > 4, fields[4] != "/proc", !fields[4].hasPrefix("/proc/") else { continue }
      mounts.insert(fields[2...4].map(String.init))
    }
    return mounts
  }
}
