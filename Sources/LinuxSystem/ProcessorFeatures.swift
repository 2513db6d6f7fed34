/// What this machine's processors can do that a program may have found out when it began, and rely on ever since:
/// libraries choose their functions by it.
package enum ProcessorFeatures {
  /// By the names that /proc/cpuinfo has for them; none where it tells nothing.
  package static let here: Set<String> = {
    // The first processor's lines are enough, and those of all may be many.
    guard let file = try? OwnedDescriptor.open("/proc/cpuinfo", access: .readOnly) else {
      return []
    }
    var bytes = [UInt8](repeating: 0, count: 16 << 10)
    var span = bytes.mutableSpan
    // Safe: bytes have no forbidden patterns.
    var raw = unsafe span.mutableBytes
    let count = (try? file.read(into: &raw, range: 0..<raw.byteCount, at: 0)) ?? 0
    return told(in: bytes[..<count])
  }()

  /// Those in the text of /proc/cpuinfo that are instructions or registers for programs; the others are the
  /// kernel's business.
  static func told(in text: ArraySlice<UInt8>) -> Set<String> {
    let text = String(decoding: text, as: UTF8.self)
    // A last line may be cut off.
    let line = text.split(separator: "\n").dropLast().first { $0.hasPrefix("flags") } ?? ""
    let names = line.drop { $0 != ":" }.split(separator: " ").map(String.init)
    return Set(names.filter { forPrograms.contains($0) || $0.hasPrefix("avx") })
  }

  /// Besides all kinds of AVX.
  private static let forPrograms: Set<String> = [
    "cmov", "cx8", "cx16", "fxsr", "mmx", "sse", "sse2", "pni", "ssse3", "sse4_1", "sse4_2",
    "sse4a",
    "popcnt", "abm", "bmi1", "bmi2", "fma", "fma4", "xop", "tbm", "f16c", "movbe", "adx", "aes",
    "vaes",
    "pclmulqdq", "vpclmulqdq", "gfni", "sha_ni", "sha512", "sm3", "sm4", "rdrand", "rdseed",
    "rdtscp",
    "rdpid", "fsgsbase", "lahf_lm", "syscall", "clflush", "clflushopt", "clwb", "cldemote",
    "movdiri",
    "movdir64b", "serialize", "waitpkg", "monitorx", "rtm", "hle", "erms", "fsrm", "amx_tile",
    "amx_int8",
    "amx_bf16", "amx_fp16", "xsave", "xsaveopt", "xsavec", "xgetbv1", "cmpccxadd", "3dnow",
    "3dnowext", "mmxext",
  ]
}
