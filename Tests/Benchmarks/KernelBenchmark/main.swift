// ftool-bench: how fast the kernels are beside memcpy. Every round runs every kernel once, so that all see the same noise;
// a figure is the median of the rounds, in bytes of data per second of CPU.
//
//   in cache         everything stays in the second-level cache
//   from memory      the data comes from memory, the outputs of every stripe go to the same place and stay in cache: what an
//                    array does, which writes parity to its member right away
//   to memory too    the outputs go to memory as well
//
// Targets are for data from memory, in times the quicker of two memcpys from memory to memory. It only measures: the exit
// status is 0 whatever came out.
//
//   ftool-bench [--levels] [--json]     --levels: also the kernels that a lesser processor would run

var benchmark = KernelBenchmark(showsLevels: CommandLine.arguments.contains("--levels"))
benchmark.run(roundCount: 9)
if CommandLine.arguments.contains("--json") {
  benchmark.printJSON()
} else {
  benchmark.printTable()
}
