import FToolTestSupport

/// Fields as `FieldCoder` writes them, taken apart so that one of them can be changed, wherever it is.
struct FieldTree {
  private var fields: [Field]

  private struct Field {
    var key: UInt64
    var value: Value
  }

  private enum Value {
    case integer(UInt64)
    case bytes([UInt8])
    case fields(FieldTree)
  }

  /// Nil for bytes that are no fields.
  init?(_ bytes: [UInt8]) {
    fields = []
    var rest = bytes[...]
    while !rest.isEmpty {
      guard let key = Self.integer(&rest), let number = Self.integer(&rest) else { return nil }
      if key & 1 == 0 {
        fields.append(Field(key: key, value: .integer(number)))
        continue
      }
      guard number <= UInt64(rest.count) else { return nil }
      let content = Array(rest.prefix(Int(number)))
      rest = rest.dropFirst(Int(number))
      if !content.isEmpty, let nested = FieldTree(content), nested.encoded() == content {
        fields.append(Field(key: key, value: .fields(nested)))
      } else {
        fields.append(Field(key: key, value: .bytes(content)))
      }
    }
  }

  private static func integer(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard let byte = bytes.popFirst() else { return nil }
      value |= UInt64(byte & 0x7f) << shift
      if byte & 0x80 == 0 { return value }
    }
    return nil
  }

  private static func bytes(of integer: UInt64) -> [UInt8] {
    var (rest, bytes) = (integer, [UInt8]())
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  func encoded() -> [UInt8] {
    fields.flatMap { field -> [UInt8] in
      let key = Self.bytes(of: field.key)
      switch field.value {
      case .integer(let number): return key + Self.bytes(of: number)
      case .bytes(let content): return key + Self.bytes(of: UInt64(content.count)) + content
      case .fields(let nested):
        let content = nested.encoded()
        return key + Self.bytes(of: UInt64(content.count)) + content
      }
    }
  }

  /// Changes something somewhere.
  mutating func change(using random: inout SeededGenerator) {
    guard let index = fields.indices.randomElement(using: &random) else { return }
    switch fields[index].value {
    case .fields(var nested) where Int.random(in: 0..<12, using: &random) > 0:
      nested.change(using: &random)
      fields[index].value = .fields(nested)
    case .integer(let number) where Int.random(in: 0..<6, using: &random) > 0:
      fields[index].value = .integer(Self.other(number, using: &random))
    case .bytes(let content) where Int.random(in: 0..<6, using: &random) > 0:
      fields[index].value = .bytes(Self.other(content, using: &random))
    default:
      if Bool.random(using: &random) {
        fields.remove(at: index)
      } else {
        fields.insert(fields[index], at: index)
      }
    }
  }

  private static func other(_ number: UInt64, using random: inout SeededGenerator) -> UInt64 {
    let chosen: [UInt64] = [
      0, 1, number &+ 1, number &- 1, number << 1, 0x7fff_ffff, 0xffff_ffff, 1 << 32, 1 << 63, .max,
      .max - 4095, random.next() >> 48, 1 << random.next() % 64,
    ]
    return chosen.randomElement(using: &random) ?? 0
  }

  private static func other(_ content: [UInt8], using random: inout SeededGenerator) -> [UInt8] {
    var content = content
    switch Int.random(in: 0..<5, using: &random) {
    case 0: content.removeLast(min(content.count, Int.random(in: 1...9, using: &random)))
    case 1: content += random.bytes(Int.random(in: 1...200, using: &random))
    case 2: content = []
    case 3: content += [UInt8](repeating: 0, count: 200_000)
    default:
      if let index = content.indices.randomElement(using: &random) {
        content[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
    }
    return content
  }
}
