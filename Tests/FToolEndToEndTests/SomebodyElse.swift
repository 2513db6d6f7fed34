import FToolTestSupport
import Glibc

/// A user who owns nothing, and whom nobody's rights are for.
enum SomebodyElse {
  private static let options = ["--reuid", "65534", "--regid", "65534", "--clear-groups"]

  /// What goes before a program's path in a shell, to run it as that user.
  static let command = (["setpriv"] + options).joined(separator: " ")

  /// Whether the built tool can be run like that.
  static let isPossible: Bool = {
    guard getuid() == 0, let tool = try? BuiltTool.path else { return false }
    return (try? BuiltTool.run(program: "setpriv", options + [tool, "version"]))?.status == 0
  }()
}
