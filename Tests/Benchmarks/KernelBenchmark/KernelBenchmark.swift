import BinaryCodec
import ErasureCoding

/// All kernels, each measured from memory and in cache.
struct KernelBenchmark {
  let showsLevels: Bool
  private let memory = Workspace(byteCount: 512 << 20)
  private let cache = Workspace(byteCount: 512 << 10)
  private(set) var fromMemory: [Measurement] = []
  private(set) var inCache: [Measurement] = []

  init(showsLevels: Bool) {
    self.showsLevels = showsLevels
    add("memcpy, 1 MiB calls") { $0.copy(pieceByteCount: 1 << 20) }
    add("memcpy, one call") { $0.copy(pieceByteCount: $0.byteCount) }
    addEncoding("XOR 5+1", target: 2.0, dataCount: 5, parityCount: 1)
    addEncoding("P+Q 6+2", target: 1.5, dataCount: 6, parityCount: 2)
    addEncoding("general 8+3", target: 1.0, dataCount: 8, parityCount: 3)
    addEncoding("general 10+4", dataCount: 10, parityCount: 4)
    addEncoding("general 32+6", dataCount: 32, parityCount: 6)
    addRecovery("recover 1 of 5+1", of: [2], dataCount: 5, parityCount: 1)
    addRecovery("recover 2 of 6+2", of: [1, 4], dataCount: 6, parityCount: 2)
    addRecovery("recover 3 of 8+3", of: [0, 3, 7], dataCount: 8, parityCount: 3)
    add("CRC-32C, 64 KiB calls", target: 1.8) { $0.checksum(pieceByteCount: 64 << 10) }
    add("CRC-32C, 4 KiB calls") { $0.checksum(pieceByteCount: 4 << 10) }
    add("block sums", target: 1.8) { $0.sumBlocks() }
  }

  /// Measures everything once a round.
  mutating func run(roundCount: Int) {
    for _ in 0..<roundCount {
      for index in fromMemory.indices { fromMemory[index].takeRound(count: 1) }
      for index in inCache.indices { inCache[index].takeRound(count: 200) }
    }
  }

  /// `body` works through a workspace and returns how many bytes of data that was.
  private mutating func add(
    _ name: String, target: Double? = nil, _ body: @escaping (Workspace) -> Int
  ) {
    let (memory, cache) = (memory, cache)
    // These first runs are the warm-up, too.
    fromMemory.append(
      Measurement(name, byteCount: body(memory), target: target) { _ = body(memory) })
    inCache.append(Measurement(name, byteCount: body(cache)) { _ = body(cache) })
  }

  private mutating func add(_ name: String, target: Double? = nil, plan: CodingPlan) {
    // Six columns and more of a stripe in cache, and many stripes in memory.
    add(name, target: target) { workspace in
      let column = workspace.byteCount > 1 << 20 ? 64 << 10 : 8 << 10
      return workspace.apply(plan, columnByteCount: column)
    }
  }

  private mutating func addEncoding(
    _ name: String, target: Double? = nil, dataCount: Int, parityCount: Int
  ) {
    let code = ErasureCode(parityCount: parityCount)
    let plan = code.encoding(
      positions: Array(0..<dataCount), parities: Array(0..<parityCount))
    add(name, target: target, plan: plan)
    guard showsLevels else { return }
    let rows = (0..<parityCount).map { parity in
      (0..<dataCount).map { ErasureCode.coefficient(parity: parity, position: $0) }
    }
    for level in KernelLevel.available where level != .best {
      add("  \(name), \(level)", plan: CodingPlan(coefficients: rows, level: level))
    }
  }

  private mutating func addRecovery(
    _ name: String, of lost: [Int], dataCount: Int, parityCount: Int
  ) {
    let positions = Array(0..<dataCount)
    let wanted = lost.map { Shard.data(position: $0) }
    let data = positions.map { Shard.data(position: $0) }.filter { !wanted.contains($0) }
    let plan = ErasureCode(parityCount: parityCount).recovery(
      positions: positions, known: data + (0..<parityCount).map { .parity($0) }, wanted: wanted)
    guard let plan else { fatalError("as many parities as lost columns are enough") }
    add(name, plan: plan)
  }
}
