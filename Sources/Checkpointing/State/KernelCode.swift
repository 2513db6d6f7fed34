import BinaryCodec
import LinuxSystem

/// The kernel's own code in a process, its vdso, as far as the program depends on it: it has kept where the
/// functions begin, and a thread may even be within one.
struct KernelCode: Equatable {
  /// CRC-32C of all of it.
  let checksum: UInt32
  /// CRC-32C of its symbols and their names; that of all of it where none are found.
  let symbolsChecksum: UInt32

  /// Of the process that has these areas; nil for one without a vdso.
  init?(in areas: [MemoryArea], _ memory: borrowing ProcessMemory) throws(SystemCallError) {
    guard let vdso = areas.first(where: { $0.name == "[vdso]" }), vdso.byteCount <= 64 << 10
    else { return nil }
    self.init(
      bytes: try memory.bytes(at: vdso.addresses.lowerBound, count: Int(vdso.byteCount)))
  }

  init(bytes: [UInt8]) {
    checksum = Self.checksum(bytes[...])
    symbolsChecksum = Self.symbols(of: bytes).map { Self.checksum($0) } ?? checksum
  }

  /// As a `ProcessState` keeps it.
  var words: [UInt64] { [UInt64(checksum), UInt64(symbolsChecksum)] }

  /// Whether a program that was saved with other kernel code can go on with this. `isInside`: one of its threads
  /// runs within.
  func suits(_ saved: [UInt64], isInside: Bool) -> Bool {
    guard saved.count == 2 else { return saved.isEmpty }
    return saved[0] == words[0] || (saved[1] == words[1] && !isInside)
  }

  /// The section .dynsym, and that with its names (ELF-64: `Elf64_Ehdr`, `Elf64_Shdr` of elf.h).
  private static func symbols(of bytes: [UInt8]) -> ArraySlice<UInt8>? {
    func number(_ offset: Int, _ count: Int) -> Int? {
      guard offset >= 0, offset <= bytes.count - count else { return nil }
      let value = bytes[offset..<offset + count].reversed().reduce(UInt64(0)) {
        $0 << 8 | UInt64($1)
      }
      return Int(exactly: value)
    }
    func section(_ index: Int) -> (kind: Int, link: Int, content: ArraySlice<UInt8>)? {
      guard let table = number(0x28, 8), let size = number(0x3a, 2),
        index < number(0x3c, 2) ?? 0, table <= bytes.count,
        let kind = number(table + index * size + 4, 4),
        let offset = number(table + index * size + 0x18, 8),
        let count = number(table + index * size + 0x20, 8),
        let link = number(table + index * size + 0x28, 4),
        offset <= bytes.count, count <= bytes.count - offset
      else { return nil }
      return (kind, link, bytes[offset..<offset + count])
    }
    let dynamicSymbols = 11  // SHT_DYNSYM
    for index in 0..<(number(0x3c, 2) ?? 0) {
      guard let symbols = section(index), symbols.kind == dynamicSymbols,
        let names = section(symbols.link)
      else { continue }
      return symbols.content + names.content
    }
    return nil
  }

  private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    // Safe: bytes have no padding.
    unsafe crc32c(bytes.span.bytes)
  }
}
