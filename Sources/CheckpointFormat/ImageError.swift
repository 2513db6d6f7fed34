import Compression
import LinuxSystem

/// Why an image could not be written or read. Offsets are bytes from the image's start.
package enum ImageError: Error, Equatable, Sendable {
  /// It does not begin as images do.
  case notAnImage
  /// It ends where more has to come.
  case cutShort(offset: Int)
  /// Bytes are not what was written.
  case checksum(ImagePart, offset: Int)
  /// The checksums are right, but what is said makes no sense: whoever wrote it had a bug, or means harm.
  case malformed(ImageField, offset: Int)
  /// Something follows behind the end.
  case trailingBytes(offset: Int)
  /// Its layout is of a version that this program does not know.
  case newerVersion(UInt32)
  /// It was made on another kind of machine: the number is ELF's `e_machine`.
  case otherArchitecture(UInt32)
  /// To read it right one has to know what these bits of the header mean.
  case unknownFeatures(UInt32)
  /// This program was built without the codec that the image was compressed with.
  case codecNotBuiltIn(Codec)
  /// There was no memory for the codec's work.
  case outOfMemory
  case system(SystemCallError)
}

/// What a checksum is of.
package enum ImagePart: Equatable, Sendable {
  case header
  /// The head of the frame with this number.
  case frameHead(UInt64)
  /// What the frame with this number stores.
  case payload(UInt64)
  case trailer
  /// Everything: the frames are right one by one, but they are not those that were written.
  case whole
}

/// What makes no sense.
package enum ImageField: String, Equatable, Sendable {
  case pageSize = "page size"
  case reserved = "reserved bytes"
  case kind = "kind of frame"
  case order = "order of frames"
  case sequence = "number of the frame"
  case codec = "codec"
  case flags = "flags"
  case storedCount = "stored byte count"
  case rawCount = "byte count"
  case position = "position"
  case tableCount = "byte count of the table"
  case runs = "page runs"
  case references = "references"
  case compressedData = "compressed data"
  case stateSize = "size of the state"
  case index = "index"
  case totals = "totals"
}
