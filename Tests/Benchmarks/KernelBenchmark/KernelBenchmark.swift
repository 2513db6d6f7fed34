import BinaryCodec
import ErasureCoding

/// One kernel: how fast it is, and what is asked of it.
struct Line {
  let name: String
  /// What it has to reach from memory, in times memcpy.
  let target: Double?
  var inCache: Measurement
  var fromMemory: Measurement
  /// With its outputs going to memory too, where it has outputs.
  var toMemory: Measurement?

  mutating func takeRound() {
    inCache.takeRound()
    fromMemory.takeRound()
    toMemory?.takeRound()
  }
}

/// All kernels, each measured in cache and from memory.
struct KernelBenchmark {
  let showsLevels: Bool
  private let memory = Workspace(byteCount: 512 << 20)
  private let cache = Workspace(byteCount: 512 << 10)
  private(set) var lines: [Line] = []

  init(showsLevels: Bool) {
    self.showsLevels = showsLevels
    add("memcpy, 1 MiB calls") { $0.copy(pieceByteCount: 1 << 20) }
    add("memcpy, one call") { $0.copy(pieceByteCount: $0.byteCount) }
    addEncoding("XOR 5+1", target: 2.0, dataCount: 5, parityCount: 1)
    addEncoding("P+Q 6+2", target: 1.5, dataCount: 6, parityCount: 2)
    addEncoding("general 8+3", target: 1.0, dataCount: 8, parityCount: 3)
    addEncoding("general 10+4", dataCount: 10, parityCount: 4)
    addEncoding("XOR 24+1", dataCount: 24, parityCount: 1)
    addEncoding("P+Q 24+2", dataCount: 24, parityCount: 2)
    addEncoding("general 16+4", dataCount: 16, parityCount: 4)
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
      for index in lines.indices { lines[index].takeRound() }
    }
  }

  /// `body` works through a workspace and returns how many bytes of data that was.
  private mutating func add(
    _ name: String, target: Double? = nil, _ body: @escaping (Workspace) -> Int
  ) {
    let (memory, cache) = (memory, cache)
    lines.append(
      Line(
        name: name, target: target, inCache: Measurement(runCount: 200) { body(cache) },
        fromMemory: Measurement { body(memory) }, toMemory: nil))
  }

  private mutating func add(_ name: String, target: Double? = nil, plan: CodingPlan) {
    let (memory, cache) = (memory, cache)
    lines.append(
      Line(
        name: name, target: target,
        inCache: Measurement(runCount: 200) {
          cache.apply(plan, columnByteCount: 8 << 10, reusesOutputs: true)
        },
        fromMemory: Measurement {
          memory.apply(plan, columnByteCount: 64 << 10, reusesOutputs: true)
        },
        toMemory: Measurement {
          memory.apply(plan, columnByteCount: 64 << 10, reusesOutputs: false)
        }))
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
