import ArgumentParser
import Compression
import LinuxSystem
import SystemPackage

/// `ftool doctor`: what this machine allows.
package struct Doctor: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Try what this kernel and these permissions allow.",
    discussion: "Nothing is changed. What does not work is named, with what to do about it.")

  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let report = DoctorReport(findings: DoctorFinding.all())
    context.output.show(report)
    return report.canSave && report.canRestore ? .done : .failed
  }
}

/// One thing that works or does not.
struct DoctorFinding {
  /// What is not possible without it.
  enum Need: String {
    case save, restore
    /// It works without, but not as well.
    case comfort
  }

  var name: String
  var works: Bool
  var need: Need
  /// What it is for.
  var purpose: String
  /// What was found, where that says more than yes or no.
  var detail: String?
  /// What to do where it does not work.
  var remedy: String?

  static func all() -> [DoctorFinding] {
    var findings = KernelTrial.allCases.map { finding($0) }
    // With one of the two ways to numbers, nothing needs the other.
    let ways = findings.indices.filter { numberWays.contains(findings[$0].name) }
    for way in ways where ways.contains(where: { findings[$0].works }) {
      findings[way].need = .comfort
    }
    return findings + [yama()] + capabilities() + codecs()
  }

  /// What gives processes the numbers that they had: here, or in a pid namespace.
  static let numberWays = [KernelTrial.chooseNumber, .makeNamespace].map(\.rawValue)

  private static func finding(_ trial: KernelTrial) -> DoctorFinding {
    let (need, purpose, remedy) = meaning(of: trial)
    var finding = DoctorFinding(
      name: trial.rawValue, works: true, need: need, purpose: purpose, detail: nil)
    do throws(SystemCallError) {
      try trial.run()
    } catch {
      finding.works = false
      finding.detail = "\(error.errno)"
      finding.remedy = remedy
    }
    return finding
  }

  private static let asRoot = "run ftool as root, or with CAP_CHECKPOINT_RESTORE"

  private static func meaning(of trial: KernelTrial) -> (Need, String, String) {
    switch trial {
    case .trace:
      (
        .save, "stop programs and look into them",
        "run ftool as root; in a container, allow ptrace (docker: --cap-add SYS_PTRACE)"
      )
    case .takeDescriptor:
      (.save, "look at what programs have open", "use Linux 5.6 or newer, and as for ptrace")
    case .compare:
      (
        .save, "know which descriptors are shared",
        "use a kernel with CONFIG_KCMP, and as for ptrace"
      )
    case .scanPages: (.save, "find the pages that count", "use Linux 6.7 or newer")
    case .openMappedFiles: (.comfort, "save mapped files that were removed", asRoot)
    case .chooseNumber:
      (.restore, "give processes the numbers that they had, among all others", asRoot)
    case .makeNamespace:
      (
        .restore,
        "give them these in a pid namespace of their own: without privileges, and for --pid any",
        namespaceRemedy
      )
    case .setMemoryMap:
      (
        .restore, "tell the kernel where a program's parts lie",
        "use a kernel with CONFIG_CHECKPOINT_RESTORE"
      )
    case .userFault:
      (
        .comfort, "fill memory faster",
        "run ftool as root, or: sysctl vm.unprivileged_userfaultfd=1"
      )
    }
  }

  private static var namespaceRemedy: String {
    let sysctls = TracingLimits.againstUserNamespaces
    return sysctls.isEmpty
      ? "in a container, allow user namespaces and a new /proc (docker: --security-opt seccomp=unconfined --security-opt systempaths=unconfined)"
      : "sysctl " + sysctls.joined(separator: " ")
  }

  /// The security module that forbids to trace what is not a descendant.
  private static func yama() -> DoctorFinding {
    let scope = TracingLimits.tracingScope ?? 0
    let canTraceAll = effectiveCapabilities() & 1 << 19 != 0
    let works = scope == 0 || (scope < 3 && canTraceAll)
    return DoctorFinding(
      name: "yama", works: works, need: .comfort, purpose: "trace more than own descendants",
      detail: TracingLimits.tracingScope == nil ? "not in this kernel" : "ptrace_scope \(scope)",
      remedy: works
        ? nil : "run ftool as root, or: sysctl kernel.yama.ptrace_scope=0 (3 needs a new start)")
  }

  /// Bits of linux/capability.h.
  private static func capabilities() -> [DoctorFinding] {
    let held = effectiveCapabilities()
    let all: [(Int, String, String)] = [
      (40, "CAP_CHECKPOINT_RESTORE", "process numbers and program files, without being root"),
      (19, "CAP_SYS_PTRACE", "programs of other users"),
      (24, "CAP_SYS_RESOURCE", "limits that are higher than ftool's own"),
    ]
    return all.map { bit, name, purpose in
      let works = held >> UInt64(bit) & 1 == 1
      return DoctorFinding(
        name: name, works: works, need: .comfort, purpose: purpose,
        remedy: works ? nil : "run ftool as a user or in a container that has it")
    }
  }

  private static func effectiveCapabilities() -> UInt64 {
    (try? ProcessStatus(of: .current))?.set("CapEff") ?? 0
  }

  private static func codecs() -> [DoctorFinding] {
    Codec.allCases.filter { $0 != .none }.map { codec in
      DoctorFinding(
        name: codec.name, works: codec.isBuiltIn, need: .comfort, purpose: "compression",
        remedy: codec.isBuiltIn
          ? nil : "install its development package and build ftool again")
    }
  }
}

/// What `doctor` says.
struct DoctorReport: Report {
  let findings: [DoctorFinding]

  var type: String { "doctor" }

  var canSave: Bool { !findings.contains { !$0.works && $0.need == .save } }
  var canRestore: Bool { !findings.contains { !$0.works && $0.need != .comfort } }
  /// With their numbers among those of all others.
  var restoresInPlace: Bool { works(.chooseNumber) }

  private func works(_ trial: KernelTrial) -> Bool {
    findings.contains { $0.name == trial.rawValue && $0.works }
  }

  func text(_ style: TextStyle) -> String {
    var table = TextTable(["", "WHAT", "FOR", "FOUND"])
    for finding in findings {
      table.append([
        finding.works ? "ok" : finding.need == .comfort ? "no" : "NO", finding.name,
        finding.purpose, finding.detail ?? "-",
      ])
    }
    var text = table.text(style)
    for finding in findings where !finding.works {
      text += "\n\(finding.name): \(finding.remedy ?? "")"
    }
    text += findings.allSatisfy(\.works) ? "" : "\n"
    text += "\n" + verdict + "\n"
    return text
  }

  private var verdict: String {
    switch (canSave, canRestore) {
    case (true, true) where !restoresInPlace:
      "programs can be saved here, and restored in a pid namespace of their own"
    case (true, true): "programs can be saved and restored here"
    case (true, false): "programs can be saved here, but not restored"
    default: "programs can't be saved here"
    }
  }

  var json: JSONValue {
    [
      "can_save": .bool(canSave), "can_restore": .bool(canRestore),
      "can_restore_in_place": .bool(canRestore && restoresInPlace),
      "can_restore_in_namespace": .bool(canRestore && works(.makeNamespace)),
      "findings": .array(
        findings.map { finding in
          [
            "name": .string(finding.name), "works": .bool(finding.works),
            "needed_for": .string(finding.need.rawValue), "purpose": .string(finding.purpose),
            "detail": .string(finding.detail), "remedy": .string(finding.remedy),
          ]
        }),
    ]
  }
}
