import CLinux
import Glibc
import SystemPackage

/// What /proc/PID/stat and status say of a process or thread.
package struct ProcessStatus: Sendable {
  /// The fields of `stat` behind the name and the state: index 0 is field 4.
  private let fields: [UInt64]
  private let status: [UInt8]
  /// R, S, D, T, t, Z, X or I.
  package let state: Character
  /// What `ps` shows; any 15 bytes.
  package let name: [UInt8]

  package init(of id: ProcessID) throws(SystemCallError) {
    let stat = try Files.contents(of: "\(id.folder)/stat")
    // The name is in parentheses and may itself hold any byte, so the last one counts.
    let open = stat.firstIndex(of: UInt8(ascii: "(")) ?? stat.startIndex
    let close = stat.lastIndex(of: UInt8(ascii: ")")) ?? stat.startIndex
    name = open < close ? Array(stat[(open + 1)..<close]) : []
    let place = close + 2
    state = stat.indices.contains(place) ? Character(Unicode.Scalar(stat[place])) : "X"
    fields = Self.numbers(in: stat[min(place + 1, stat.endIndex)...])
    status = try Files.contents(of: "\(id.folder)/status")
  }

  /// Decimal numbers between spaces; negative ones as two's complement.
  private static func numbers(in text: ArraySlice<UInt8>) -> [UInt64] {
    var numbers: [UInt64] = []
    numbers.reserveCapacity(52)
    var (value, isNegative, isInside) = (UInt64(0), false, false)
    for byte in text {
      switch byte {
      case UInt8(ascii: "-"):
        (isNegative, isInside) = (true, true)
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        value = value &* 10 &+ UInt64(byte - UInt8(ascii: "0"))
        isInside = true
      default:
        if isInside { numbers.append(isNegative ? 0 &- value : value) }
        (value, isNegative, isInside) = (0, false, false)
      }
    }
    if isInside { numbers.append(isNegative ? 0 &- value : value) }
    return numbers
  }

  /// A field of `stat` by its number in proc(5), from 4 on; 0 when it is not there.
  package func number(_ field: Int) -> UInt64 {
    fields.indices.contains(field - 4) ? fields[field - 4] : 0
  }

  package var parent: ProcessID { ProcessID(Int32(truncatingIfNeeded: number(4))) }
  package var processGroup: ProcessID { ProcessID(Int32(truncatingIfNeeded: number(5))) }
  package var session: ProcessID { ProcessID(Int32(truncatingIfNeeded: number(6))) }
  /// The controlling terminal's device number; 0 for none.
  package var terminal: UInt64 { number(7) }
  /// SCHED_OTHER is 0, SCHED_BATCH 3.
  package var schedulingPolicy: UInt64 { number(41) }
  package var nice: Int { Int(Int64(bitPattern: number(19))) }
  /// In clock ticks after the machine's start: with the number it names one process for ever.
  package var startTime: UInt64 { number(22) }

  /// PF_KTHREAD of include/linux/sched.h: it has no program and no memory of its own.
  package var isKernelThread: Bool { number(9) & 0x20_0000 != 0 }

  /// A line of `status`, such as `Uid`.
  package func line(_ key: String) -> String {
    let key = Array(key.utf8) + [UInt8(ascii: ":")]
    var rest = status[...]
    while !rest.isEmpty {
      let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
      if rest.starts(with: key) {
        let value = rest[(rest.startIndex + key.count)..<end]
        return String(
          decoding: value.drop { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") },
          as: UTF8.self)
      }
      rest = rest[min(end + 1, rest.endIndex)...]
    }
    return ""
  }

  /// The processor that it ran on last.
  package var processor: Int { Int(clamping: number(39)) }

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
