/// Outputs as sums of sources with coefficients of GF(2^8), byte by byte: a parity's, a lost column's. The kernel is chosen
/// when the plan is made, so a plan is made once and used for many stripes.
package struct CodingPlan: Sendable {
  /// How many pieces are read: those without a part in any output may be among them.
  package let sourceCount: Int
  /// How many pieces are computed, all as long as the sources.
  package let outputCount: Int

  let level: KernelLevel
  let shape: Shape
  /// The sources that any output needs, when these are not all of them.
  let usedSources: [Int]?
  /// Per output, as the portable kernel wants it; sources are counted among the used ones.
  let steps: [[CodingStep]]
  /// Per source and output, as the kernel of the level wants it.
  let matrices: [UInt64]
  let tables: [UInt8]

  /// What makes a plan quicker than any other of its size.
  enum Shape: Sendable {
    /// One output, the plain sum.
    case xor
    /// The plain sum of a few sources, and one whose coefficients are powers of two not far from each other. The order of
    /// the sources, and the doublings before each and after the last.
    case pq(order: [UInt8], doublings: [UInt8])
    /// The first output is the plain sum, the others are anything.
    case sumAndGeneral
    case general
  }

  /// A plan for `outputs[k] = the sum over s of coefficients[k][s] * sources[s]`.
  package init(coefficients: [[UInt8]]) {
    self.init(coefficients: coefficients, level: .best)
  }

  /// The same with the kernels of a level that this processor has; for tests and measurements.
  package init(coefficients: [[UInt8]], level: KernelLevel) {
    self.init(
      coefficients: coefficients, sourceCount: coefficients.first?.count ?? 0, level: level)
  }

  /// The same; without any output the coefficients do not tell how many sources there are.
  init(coefficients: [[UInt8]], sourceCount: Int, level: KernelLevel = .best) {
    precondition(level.rawValue <= KernelLevel.best.rawValue, "this processor cannot do that")
    precondition(coefficients.allSatisfy { $0.count == sourceCount }, "rows differ in length")
    precondition(sourceCount <= 255, "too many sources")
    self.sourceCount = sourceCount
    self.outputCount = coefficients.count
    self.level = level

    let used = (0..<sourceCount).filter { source in coefficients.contains { $0[source] != 0 } }
    usedSources = used.count == sourceCount ? nil : used
    let rows = coefficients.map { row in used.map { row[$0] } }
    shape = Self.shape(of: rows)
    steps = rows.map { CodingStep.list(for: $0) }
    let columns = used.indices.flatMap { source in rows.map { $0[source] } }
    matrices = level == .avx512 ? columns.map { MultiplicationTables.matrices[Int($0)] } : []
    tables = level == .avx2 ? columns.flatMap { MultiplicationTables.shuffles(of: $0) } : []
  }

  private static func shape(of rows: [[UInt8]]) -> Shape {
    guard let first = rows.first, first.allSatisfy({ $0 == 1 }) else { return .general }
    if rows.count == 1 { return .xor }
    if rows.count == 2, first.count <= CodingPieces.streamLimit,
      let steps = CodingStep.byExponents(of: rows[1])
    {
      return .pq(order: steps.compactMap(\.source), doublings: steps.map(\.doublings))
    }
    return .sumAndGeneral
  }
}
