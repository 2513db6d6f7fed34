/// How the reads of mirrors are spread over the members that could serve them.
package enum ReadPolicy: String, Sendable, CaseIterable {
  case roundRobin = "round-robin"
  case leastPending = "least-pending"
  case random
}
