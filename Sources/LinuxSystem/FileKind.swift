/// What lies behind a path or a descriptor, as far as it matters to what can be done with it.
package enum FileKind: Equatable, Sendable {
  case regular, block, directory, character, pipe
  /// A socket, or what later kernels think of.
  case other
}
