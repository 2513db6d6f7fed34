import Glibc

/// Ends an exit test with a code that its parent expects.
func exitTest(_ code: Int32) -> Never { exit(code) }

/// The calling thread's number.
func currentThread() -> UInt { UInt(pthread_self()) }

/// Lets this thread receive all signals.
func receiveSignals() {
  var none = sigset_t()
  sigemptyset(&none)
  pthread_sigmask(SIG_SETMASK, &none, nil)
}
