// ftool-bench: how fast the kernels are beside memcpy. Every round runs every kernel once, so that all see the same noise;
// a figure is the median of the rounds, in CPU time. "from memory": the data comes from and goes to memory, far larger than
// any cache. "in cache": it stays in the second-level cache. Targets are for data from memory, in times memcpy. It only
// measures: the exit status is 0 whatever came out.
//
//   ftool-bench [--levels] [--json]     --levels: also the kernels that a lesser processor would run

import BinaryCodec
import ErasureCoding

var benchmark = KernelBenchmark(showsLevels: CommandLine.arguments.contains("--levels"))
benchmark.run(roundCount: 9)
if CommandLine.arguments.contains("--json") {
  benchmark.printJSON()
} else {
  benchmark.printTable()
}
