/// The kind of machine whose registers are in an image; the numbers are ELF's `e_machine`.
package enum Architecture: UInt32, Sendable {
  case x86_64 = 62
  case arm64 = 183

  /// This program's.
  package static var current: Architecture {
    #if arch(x86_64)
      .x86_64
    #elseif arch(arm64)
      .arm64
    #else
      #error("images of this architecture have no number yet")
    #endif
  }
}
