import Glibc
import SystemPackage

/// What is known of the terminal behind a descriptor, if there is one.
package enum Terminal {
  /// Whether a person may be looking at (or typing into) this descriptor.
  ///
  /// The corresponding C function is `isatty`.
  package static func isTerminal(_ descriptor: FileDescriptor) -> Bool {
    isatty(descriptor.rawValue) == 1
  }

  /// The width of the terminal behind a descriptor in characters; nil where there is no terminal
  /// or it does not know.
  ///
  /// The corresponding C function is `ioctl` with `TIOCGWINSZ`.
  package static func columnCount(of descriptor: FileDescriptor) -> Int? {
    var size = winsize()
    // The kernel fills `size`, which lives until the call returns.
    guard unsafe ioctl(descriptor.rawValue, UInt(TIOCGWINSZ), &size) == 0 else { return nil }
    return size.ws_col > 0 ? Int(size.ws_col) : nil
  }

  /// Waits until there is something to read from a descriptor; false when somebody asked the program
  /// to stop before there was.
  ///
  /// The corresponding C function is `poll`.
  package static func waitForInput(_ descriptor: FileDescriptor) -> Bool {
    var waited = [
      pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0),
      pollfd(fd: StopRequest.descriptor, events: Int16(POLLIN), revents: 0),
    ]
    while StopRequest.shared.signal == nil {
      // The kernel fills in what it found in the two of them, which live until the call returns.
      let count = unsafe poll(&waited, nfds_t(waited.count), -1)
      if count > 0 && waited[0].revents != 0 { return true }
      if count < 0 && errno != EINTR { return true }  // reading will say what is wrong
    }
    return false
  }
}
