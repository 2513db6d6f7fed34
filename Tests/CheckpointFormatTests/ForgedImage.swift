import BinaryCodec

/// A frame in its parts.
struct ForgedFrame {
  var head: [UInt8]
  var payload: [UInt8]
}

/// An image taken apart by the description of the format, to be put together with other fields and right
/// checksums.
struct ForgedImage {
  var header: [UInt8]
  var frames: [ForgedFrame] = []
  var trailer: [UInt8]

  /// The image has to be a good one.
  init(_ bytes: [UInt8]) {
    header = Array(bytes.prefix(64))
    trailer = Array(bytes.suffix(96))
    var offset = 64
    while offset < bytes.count - 96 {
      let head = Array(bytes[offset..<offset + 48])
      let count = [24, 28].reduce(0) { $0 + Int(head.rawBytes.integer(at: $1, as: UInt32.self)) }
      frames.append(
        ForgedFrame(head: head, payload: Array(bytes[(offset + 48)...].prefix(count))))
      offset += 48 + count
    }
  }

  /// With checksums that fit.
  func sealed() -> [UInt8] {
    var bytes = header
    let identifier = Array(header[16..<32])
    bytes.withMutableRawBytes { $0.store(crc32c($0.bytes.sub(16..<64)), at: 12) }
    var whole = CRC32C()
    whole.update(bytes.rawBytes)
    for frame in frames {
      var head = frame.head
      head.withMutableRawBytes { $0.store(crc32c(frame.payload.rawBytes), at: 36) }
      let covered = identifier + head.prefix(44)
      head.withMutableRawBytes { $0.store(crc32c(covered.rawBytes), at: 44) }
      whole.update(head.rawBytes)
      bytes += head + frame.payload
    }
    var end = trailer
    end.withMutableRawBytes { end in
      end.store(UInt64(bytes.count), at: 24)
      end.store(whole.value, at: 88)
      end.store(crc32c(end.bytes.sub(0..<92)), at: 92)
    }
    return bytes + end
  }
}
