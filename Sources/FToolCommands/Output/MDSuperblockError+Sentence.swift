import MDFormat

extension MDSuperblockError {
  /// What is wrong with a superblock, to stand behind its name or behind "it".
  var sentence: String {
    switch self {
    case .absent: return "is not there"
    case .truncated: return "is cut off"
    case .bigEndian: return "was written by a big-endian machine"
    case .unsupportedVersion(let major, let minor):
      return "has the unknown version \(major).\(minor)"
    case .damaged(let stored, let computed):
      return "is damaged: its checksum is \(String(stored, radix: 16)) and should be "
        + String(computed, radix: 16)
    case .wrongPlace(let stated, _):
      return "says that it belongs at byte \(RaidExamineFinding.clampedBytes(stated))"
    case .unsupportedFeatures(let bits):
      let names = (0..<32).filter { bits >> UInt32($0) & 1 != 0 }.map {
        "0x" + String(UInt32(1) << UInt32($0), radix: 16)
      }
      return "has unknown feature bits: \(names.joined(separator: ", "))"
    case .unsupportedLevel(let level): return "has the unknown level \(level)"
    case .cutShort(_, let sectors, let needed):
      return "tells of at least \(ByteSize(needed * 512)), and there are \(ByteSize(sectors * 512))"
    case .invalid(let field): return "makes no sense: \(field.rawValue)"
    }
  }
}
