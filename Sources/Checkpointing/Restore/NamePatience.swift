import LinuxSystem
import SystemPackage

/// A name or a port that a program had is free only when the last copy of its descriptor is closed: the kernel
/// closes those of a killed process when it gets to it, and what other processes were just starting may hold
/// copies until it is executed.
enum NamePatience {
  private static let limit = Duration.seconds(2)

  /// Tries again for a moment while the kernel says EADDRINUSE.
  static func bind<Socket: ~Copyable>(
    _ attempt: () throws(SystemCallError) -> Socket
  ) throws(SystemCallError) -> Socket {
    let end = ContinuousClock.now + limit
    while true {
      do throws(SystemCallError) {
        return try attempt()
      } catch {
        guard error.errno == .addressInUse, ContinuousClock.now < end else { throw error }
        Machine.sleep(seconds: 0.005)
      }
    }
  }
}
