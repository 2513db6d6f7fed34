/// A promise that was not kept.
package struct Violation: Error, Sendable, CustomStringConvertible {
  /// Which promise.
  package enum Promise: String, Sendable {
    /// The array can be opened.
    case opens
    /// What was acknowledged is there, and each unit of the rest is old or new.
    case holdsWhatWasWritten = "holds-what-was-written"
    /// Errors only where it is allowed to have lost something.
    case losesNothing = "loses-nothing"
    /// What was read once after the crash is read again.
    case staysAsItWasRead = "stays-as-it-was-read"
    /// Recovery settles everything.
    case settles
    /// Parity, copies, sums and superblocks agree afterwards.
    case agrees
    /// The operation itself, and each call of the recovery, succeeds.
    case succeeds
  }

  package let promise: Promise
  package let text: String

  init(_ promise: Promise, _ text: String) {
    self.promise = promise
    self.text = text
  }

  package var description: String { "\(promise.rawValue): \(text)" }
}
