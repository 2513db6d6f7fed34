import Glibc
import Synchronization

/// The end of a program for which there is no memory left.
///
/// It is not thrown: memory is taken in the middle of everything, also where there is nothing to go back to,
/// and a program that stops at once leaves on disk what any crash leaves, which every format here bears. But
/// the user is told, and a script gets a status.
package enum MemoryExhaustion {
  private static let answer = Mutex<@Sendable (Int) -> Int32>({ _ in EX_OSERR })
  private static let isEnding = Atomic(false)

  /// Says what is done before the program ends, on the thread that wanted so many bytes; it returns the status
  /// to exit with (until it is said: 71, without a word). It should take little memory itself.
  package static func answer(with answer: @escaping @Sendable (_ byteCount: Int) -> Int32) {
    Self.answer.withLock { $0 = answer }
  }

  /// Ends the program, without waiting for other threads.
  static func end(wanting byteCount: Int) -> Never {
    if isEnding.exchange(true, ordering: .relaxed) {
      while true { pause() }  // another thread is saying it
    }
    let status = answer.withLock { $0 }(byteCount)
    _exit(status)
  }
}
