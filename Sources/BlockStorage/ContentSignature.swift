import LinuxSystem

/// What lies on a device already, told by the marks that formats leave at their places: to be looked at
/// before it is overwritten, and to learn how long the whole must have been when its parts are found.
///
/// A mark is no proof, nor is its absence: for protecting people from themselves, and for recovery to
/// check its guesses with.
package enum ContentSignature {
  /// One mark.
  package struct Found: Hashable, Sendable {
    /// What it is the mark of, such as `ext4`.
    package let kind: String
    /// Where the mark lies, in bytes from the start of the device.
    package let offset: Int
    /// How many bytes the whole has, from the start of the device, if it says so (and may be right).
    package let byteCount: Int?

    init(_ kind: String, at offset: Int, byteCount: Int? = nil) {
      self.kind = kind
      self.offset = offset
      self.byteCount = byteCount
    }
  }

  /// How much of the device's start and end is looked at.
  static let headByteCount = 264 << 10
  static let tailByteCount = 768 << 10

  /// All marks, in order of their offsets. Bytes that cannot be read hold no marks; a device of which
  /// none can be read throws.
  package static func find(on device: any BlockDevice) throws(DeviceError) -> [Found] {
    let head = 0..<min(headByteCount, device.byteCount)
    let tail = max(0, device.byteCount - tailByteCount)..<device.byteCount
    var headError: DeviceError?
    var found: [Found] = []
    do throws(DeviceError) {
      let window = try SignatureWindow(device, head)
      found += HeadSignature.find(in: window, of: device.byteCount)
      found += MDSignature.find(in: window, of: device.byteCount)
    } catch {
      headError = error
    }
    do throws(DeviceError) {
      let window = try SignatureWindow(device, tail)
      found += TailSignature.find(in: window, of: device.byteCount)
      found += MDSignature.find(in: window, of: device.byteCount)
    } catch {
      if let headError { throw headError }
    }
    // A small device's head and tail are the same bytes.
    return Set(found)
      .sorted { ($0.offset, $0.kind) < ($1.offset, $1.kind) }
  }
}
