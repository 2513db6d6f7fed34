import LinuxSystem
import Testing

/// What whoever runs the tests may do.
package enum Rights {
  /// Whether new processes can be given the numbers that others had, and whatever else only root can give back.
  package static let canChooseNumbers =
    Machine.userID == 0
    && (try? OwnedDescriptor.open("/proc/sys/kernel/ns_last_pid", access: .writeOnly)) != nil
}

extension Trait where Self == ConditionTrait {
  /// The test is skipped, which is reported, where programs can't be brought back just as they were.
  package static var choosesNumbers: Self {
    .enabled(if: Rights.canChooseNumbers, "needs root, to give processes their numbers back")
  }
}
