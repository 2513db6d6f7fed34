import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat

/// What is at the places of a device where a superblock may be, for a device that has none that can be
/// used.
struct SuperblockPlaces: Sendable {
  struct Place: Sendable {
    enum Content: Equatable, Sendable {
      case unreadable(DeviceError)
      /// Nothing that says it is a superblock.
      case absent
      case unusable(MDSuperblockError, Words)
    }

    let version: MDMetadataVersion
    /// Byte of the device.
    let offset: Int
    let content: Content
  }

  /// What the superblock says for itself; nothing of it is to be believed.
  struct Words: Equatable, Sendable {
    let magic: UInt32
    /// Of versions 1.x only.
    var arrayID: Identifier?
    var name: String?
    var events: UInt64?
  }

  let name: String
  let byteCount: Int
  let places: [Place]

  init(_ device: any BlockDevice) {
    name = device.name
    byteCount = device.byteCount
    let sectors = device.byteCount / 512
    places = MDMetadataVersion.searchOrder.compactMap { version in
      version.superblockSector(memberSectors: sectors).map { sector in
        Place(
          version: version, offset: sector * 512,
          content: Self.content(of: device, version, sector: sector))
      }
    }
  }

  private static func content(
    of device: any BlockDevice, _ version: MDMetadataVersion, sector: Int
  ) -> Place.Content {
    var buffer = AlignedBuffer(byteCount: MDMetadataVersion.superblockByteCount)
    var bytes = buffer.mutableBytes
    do throws(DeviceError) {
      try device.read(into: &bytes, range: 0..<bytes.byteCount, at: sector * 512)
    } catch {
      return .unreadable(error)
    }
    do throws(MDSuperblockError) {
      _ = try MDSuperblock(
        decoding: bytes.bytes, version: version, memberSectors: device.byteCount / 512)
    } catch .absent {
      return .absent
    } catch {
      // Two versions may have the same place: a superblock of the other one is not this one gone bad.
      if case .unsupportedVersion(let major, _) = error, major <= 1 { return .absent }
      return .unusable(error, Words(bytes.bytes, version))
    }
    return .absent
  }

  /// Places that hold something, or that nobody knows.
  var suspects: [Place] { places.filter { $0.content != .absent } }

  /// Why the device is no member that can be used.
  var failure: Failure {
    let problems = suspects.map(\.sentence)
    guard !problems.isEmpty else { return Failure(.absent, on: name) }
    let isDamaged = suspects.contains { place in
      if case .unusable(.damaged, _) = place.content { true } else { false }
    }
    let isUnreadable = suspects.allSatisfy { place in
      if case .unreadable = place.content { true } else { false }
    }
    return Failure(
      isDamaged ? .damaged : isUnreadable ? .inputOutput : .notFound,
      "\(name) is not a member that can be used: " + problems.joined(separator: "; "),
      hint: isDamaged ? "'ftool raid recover' can find the array by its other members" : nil)
  }
}

extension SuperblockPlaces.Place {
  /// `the superblock at byte 4096 (version 1.2) is damaged: …`
  var sentence: String {
    switch content {
    case .unusable(let error, _):
      "the superblock at byte \(offset) (version \(version.rawValue)) \(error.sentence)"
    case .absent: "byte \(offset) (version \(version.rawValue)) holds no superblock"
    case .unreadable(let error):
      "byte \(offset) (version \(version.rawValue)) cannot be read"
        + (error.errno.map { ": \($0)" } ?? "")
    }
  }
}

extension SuperblockPlaces.Words {
  private enum Offset { static let magic = 0, arrayID = 16, name = 32, nameEnd = 64, events = 200 }

  fileprivate init(_ block: RawSpan, _ version: MDMetadataVersion) {
    magic = block.integer(at: Offset.magic)
    guard version != .v0_90 else { return }
    arrayID = Identifier(bytes: block, at: Offset.arrayID)
    let bytes: [UInt8] = block.array(Offset.name..<Offset.nameEnd)
    name = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    events = block.integer(at: Offset.events)
  }
}

// MARK: - Showing

extension SuperblockPlaces {
  var lines: [String] {
    suspects.flatMap { place in
      var lines = [
        RaidExamineFinding.line(
          "Place", "byte \(place.offset), where version \(place.version.rawValue) has it")
      ]
      switch place.content {
      case .absent: break
      case .unreadable(let error):
        lines.append(RaidExamineFinding.line("Problem", Failure(error, on: "it").message))
      case .unusable(let error, let words):
        lines.append(RaidExamineFinding.line("Magic", RaidExamineFinding.hexadecimal(words.magic)))
        if let id = words.arrayID { lines.append(RaidExamineFinding.line("Array UUID", "\(id)")) }
        if let name = words.name {
          // A damaged name may hold anything, also what moves a terminal's cursor.
          let safe = String(
            name.unicodeScalars.map { $0.properties.isGraphic ? Character($0) : "?" })
          lines.append(RaidExamineFinding.line("Name", safe))
        }
        if let events = words.events {
          lines.append(RaidExamineFinding.line("Events", "\(events)"))
        }
        if case .damaged(let stored, let computed) = error {
          lines.append(
            RaidExamineFinding.line(
              "Checksum",
              "\(RaidExamineFinding.hexadecimal(stored)) - expected "
                + RaidExamineFinding.hexadecimal(computed)))
        }
        lines.append(RaidExamineFinding.line("Problem", "it \(error.sentence)"))
      }
      return lines + [""]
    }.dropLast()
  }

  var json: JSONValue {
    ["path": .string(name), "bytes": .number(byteCount), "places": .array(places.map(\.json))]
  }
}

extension SuperblockPlaces.Place {
  fileprivate var json: JSONValue {
    var fields: [JSONValue.Field] = [
      .init("offset", .number(offset)), .init("metadata", .string(version.rawValue)),
    ]
    switch content {
    case .absent: fields += [.init("state", "absent"), .init("problem", .null)]
    case .unreadable:
      fields += [.init("state", "unreadable"), .init("problem", .string(sentence))]
    case .unusable(let error, let words):
      fields += [
        .init("state", "unusable"), .init("problem", .string(sentence)),
        .init("magic", .number(words.magic)), .init("uuid", .string(words.arrayID?.description)),
        .init("name", .string(words.name)), .init("events", .number(words.events)),
      ]
      if case .damaged(let stored, let computed) = error {
        fields += [
          .init("checksum", .number(stored)), .init("checksum_expected", .number(computed)),
        ]
      }
    }
    return .object(fields)
  }
}

extension Unicode.Scalar.Properties {
  fileprivate var isGraphic: Bool {
    switch generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator:
      false
    default: true
    }
  }
}
