import Glibc

/// The value of an environment variable, or nil where it is not set.
///
/// The corresponding C function is `getenv`.
package func environmentVariable(_ name: String) -> String? {
  // The string belongs to the environment, which nothing here changes; it is copied at once.
  guard let value = unsafe getenv(name) else { return nil }
  return unsafe String(cString: value)
}
