import SystemPackage

/// What this system forbids to people without privileges, where it says so: sysctls of the kernel and of
/// distributions.
package enum TracingLimits {
  /// Yama's kernel.yama.ptrace_scope: 0 none, 1 only descendants are traced, 2 only root traces, 3 nobody;
  /// nil where there is no Yama.
  package static var tracingScope: Int? { number("kernel/yama/ptrace_scope") }

  /// The sysctls that keep ordinary users from making user namespaces, as `name=value` that would let them.
  package static var againstUserNamespaces: [String] {
    var found: [String] = []
    if number("user/max_user_namespaces") == 0 { found.append("user.max_user_namespaces=10000") }
    if number("user/max_pid_namespaces") == 0 { found.append("user.max_pid_namespaces=10000") }
    if number("user/max_mnt_namespaces") == 0 { found.append("user.max_mnt_namespaces=10000") }
    // Debian's and Ubuntu's
    if number("kernel/unprivileged_userns_clone") == 0 {
      found.append("kernel.unprivileged_userns_clone=1")
    }
    if (number("kernel/apparmor_restrict_unprivileged_userns") ?? 0) != 0 {
      found.append("kernel.apparmor_restrict_unprivileged_userns=0")
    }
    return found
  }

  private static func number(_ name: String) -> Int? {
    guard let bytes = try? Files.contents(of: "/proc/sys/\(name)") else { return nil }
    return Int(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
  }

  /// A system call filter (seccomp(2)) is on this process.
  package static var hasFilter: Bool {
    ((try? ProcessStatus(of: .current))?.numbers("Seccomp").first ?? 0) != 0
  }

  /// Lets others of the same user look into this process and its clones, as a program with capabilities of
  /// its file may not be looked into: they become the programs that are restored.
  package static func allowTracing() {
    // PR_SET_DUMPABLE
    _ = try? kernelCall(.prctl, "prctl(PR_SET_DUMPABLE)", on: "this process", 4, 1)
  }
}
