import CLinux
import Glibc
import SystemPackage

/// What /proc/PID/stat and status say of a process or thread.
package struct ProcessStatus: Sendable {
  /// The fields of `stat` behind the name: index 0 is field 3, the state.
  private let fields: [Substring]
  /// The lines of `status` by their keys.
  private let lines: [Substring: Substring]
  /// What `ps` shows; any 15 bytes.
  package let name: [UInt8]

  package init(of id: ProcessID) throws(SystemCallError) {
    let stat = try Files.contents(of: "\(id.folder)/stat")
    // The name is in parentheses and may itself hold any byte, so the last one counts.
    let open = stat.firstIndex(of: UInt8(ascii: "(")) ?? stat.startIndex
    let close = stat.lastIndex(of: UInt8(ascii: ")")) ?? stat.startIndex
    name = open < close ? Array(stat[(open + 1)..<close]) : []
    let text = String(decoding: stat[close...].dropFirst(), as: UTF8.self)
    fields = text.split { $0 == " " || $0 == "\n" }
    let status = String(decoding: try Files.contents(of: "\(id.folder)/status"), as: UTF8.self)
    var lines: [Substring: Substring] = [:]
    for line in status.split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      lines[line[..<colon]] = line[line.index(after: colon)...].drop { $0 == "\t" || $0 == " " }
    }
    self.lines = lines
  }

  /// A field of `stat` by its number in proc(5), from 3 on; 0 when it is not there.
  package func number(_ field: Int) -> UInt64 {
    guard fields.indices.contains(field - 3) else { return 0 }
    let text = fields[field - 3]
    return UInt64(text) ?? UInt64(bitPattern: Int64(text) ?? 0)
  }

  /// R, S, D, T, t, Z, X or I.
  package var state: Character { fields.first?.first ?? "X" }
  package var parent: ProcessID { ProcessID(Int32(truncatingIfNeeded: number(4))) }
  package var processGroup: ProcessID { ProcessID(Int32(truncatingIfNeeded: number(5))) }
  package var session: ProcessID { ProcessID(Int32(truncatingIfNeeded: number(6))) }
  /// The controlling terminal's device number; 0 for none.
  package var terminal: UInt64 { number(7) }
  package var nice: Int { Int(Int64(bitPattern: number(19))) }
  /// In clock ticks after the machine's start: with the number it names one process for ever.
  package var startTime: UInt64 { number(22) }

  /// PF_KTHREAD of include/linux/sched.h: it has no program and no memory of its own.
  package var isKernelThread: Bool { number(9) & 0x20_0000 != 0 }

  /// A line of `status`, such as `Uid`.
  package func line(_ key: String) -> String { lines[key[...]].map(String.init) ?? "" }

  /// The numbers of such a line.
  package func numbers(_ key: String, radix: Int = 10) -> [UInt64] {
    line(key).split { $0 == " " || $0 == "\t" }.compactMap { UInt64($0, radix: radix) }
  }

  /// A set of signals or capabilities, such as `SigCgt`: bit n - 1 for signal n, bit n for capability n.
  package func set(_ key: String) -> UInt64 { numbers(key, radix: 16).first ?? 0 }

  /// Who traces it; nil for nobody.
  package var tracer: ProcessID? {
    numbers("TracerPid").first.flatMap { $0 == 0 ? nil : ProcessID(Int32(truncatingIfNeeded: $0)) }
  }
}

extension ProcessID {
  /// The threads of the process, itself among them.
  package func threads() throws(SystemCallError) -> [ProcessID] {
    try Files.list("\(folder)/task").compactMap { Int32($0) }.map(ProcessID.init).sorted()
  }

  /// The processes that this one's threads made and nobody has waited for.
  package func children() throws(SystemCallError) -> [ProcessID] {
    var children: [ProcessID] = []
    for thread in try threads() {
      let bytes: [UInt8]
      do throws(SystemCallError) {
        bytes = try Files.contents(of: "\(folder)/task/\(thread)/children")
      } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .noSuchProcess {
        if thread == self { throw error }
        continue  // a thread that has ended, whose children another one has now
      }
      let text = String(decoding: bytes, as: UTF8.self)
      children += text.split { $0 == " " || $0 == "\n" }.compactMap { Int32($0) }.map(
        ProcessID.init)
    }
    return children.sorted()
  }

  /// This thread.
  static var currentThread: ProcessID { ProcessID(Int32(clinux_call(186, 0, 0, 0, 0, 0, 0))) }

  /// This process.
  package static var current: ProcessID { ProcessID(getpid()) }
}

extension ProcessID {
  /// Waits until it is stopped by job control, or has ended; not for ever, since it may be made to go on. A stop
  /// that a process is let go into begins only when its threads run into it.
  package func awaitStop(seconds: Double) {
    let patience = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < patience, let status = try? ProcessStatus(of: self),
      !["T", "Z", "X"].contains(status.state)
    { Machine.sleep(seconds: 0.0002) }
  }
}
