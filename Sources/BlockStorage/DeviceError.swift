import LinuxSystem
import SystemPackage

/// Why a device did not do what it was asked; each case is something else for the caller to do.
package enum DeviceError: Error, Equatable, Sendable {
  /// These bytes cannot be read, others may: rebuild them from elsewhere and write them again, which
  /// lets a disk put the sector somewhere else. The offset is the first byte that did not come.
  case unreadable(offset: Int, errno: Errno)
  /// These bytes cannot be written, and may now be the old ones, the new ones or unreadable.
  case unwritable(offset: Int, errno: Errno)
  /// There is no room for these bytes: make some and write again. What lay there before still does.
  case full(offset: Int)
  /// Nothing written since the last flush that succeeded may be believed; flushing again proves nothing.
  case flushFailed(Errno)
  /// The device itself went away: stop using it.
  case gone(Errno)
  /// It goes on, but the bytes from here on are not there: the request went past the end, or the file
  /// was made shorter under us. Stop using it.
  case truncated(offset: Int)
}

extension DeviceError {
  /// What the device is to its user now: nil when the rest of it can still be used.
  package var endsUse: Bool {
    switch self {
    case .gone, .truncated, .flushFailed: true
    case .unreadable, .unwritable, .full: false
    }
  }

  /// The kernel's reason, where there was one.
  package var errno: Errno? {
    switch self {
    case .unreadable(_, let errno), .unwritable(_, let errno): errno
    case .flushFailed(let errno), .gone(let errno): errno
    case .full: .noSpace
    case .truncated: nil
    }
  }

  /// The same error as it looks from a window that starts `offset` bytes into the device.
  func moved(by distance: Int) -> DeviceError {
    switch self {
    case .unreadable(let offset, let errno): .unreadable(offset: offset + distance, errno: errno)
    case .unwritable(let offset, let errno): .unwritable(offset: offset + distance, errno: errno)
    case .full(let offset): .full(offset: offset + distance)
    case .truncated(let offset): .truncated(offset: offset + distance)
    case .flushFailed, .gone: self
    }
  }

  /// What an error of reading at `offset` means.
  init(reading offset: Int, _ error: SystemCallError) {
    self =
      error.errno.meansGone
      ? .gone(error.errno)
      : .unreadable(offset: offset + error.transferredByteCount, errno: error.errno)
  }

  /// What an error of writing at `offset` means.
  init(writing offset: Int, _ error: SystemCallError) {
    let offset = offset + error.transferredByteCount
    self =
      error.errno.meansGone
      ? .gone(error.errno)
      : error.errno.meansFull
        ? .full(offset: offset) : .unwritable(offset: offset, errno: error.errno)
  }

  /// What an error of a flush means.
  init(flushing error: SystemCallError) {
    self = error.errno.meansGone ? .gone(error.errno) : .flushFailed(error.errno)
  }
}

extension Errno {
  /// The device or the server behind it is not there any more.
  fileprivate var meansGone: Bool {
    switch self {
    case .noSuchAddressOrDevice, .operationNotSupportedByDevice, .staleNFSFileHandle,
      .socketShutdown, .socketNotConnected, .hostIsDown, .noRouteToHost, .badFileDescriptor:
      true
    default: rawValue == Self.noMedium
    }
  }

  /// There is no room: on the filesystem, in the quota, or in what one file may be.
  fileprivate var meansFull: Bool {
    self == .noSpace || self == .diskQuotaExceeded || self == .fileTooLarge
  }

  /// ENOMEDIUM, which SystemPackage has no name for.
  private static let noMedium: CInt = 123
}
