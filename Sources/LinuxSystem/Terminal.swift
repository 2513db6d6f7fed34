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
}
