extension KernelBenchmark {
  func printTable() {
    print("                          GB/s of data per core    x memcpy")
    print("                          in cache  from memory  from memory   target")
    for (far, near) in zip(fromMemory, inCache) {
      let ratio = far.gigabytesPerSecond / reference
      let name = far.name + String(repeating: " ", count: max(1, 24 - far.name.count))
      let target = far.target.map {
        padded(decimal($0), to: 9) + (ratio >= $0 ? "  met" : "  not met")
      }
      print(
        name + padded(decimal(near.gigabytesPerSecond), to: 10)
          + padded(decimal(far.gigabytesPerSecond), to: 13) + padded(decimal(ratio), to: 13)
          + (target ?? ""))
    }
  }

  func printJSON() {
    let lines = zip(fromMemory, inCache).map { far, near in
      let ratio = far.gigabytesPerSecond / reference
      let target = far.target.map { ", \"target\": \(decimal($0)), \"met\": \(ratio >= $0)" }
      return """
          {"name": "\(far.name)", "cacheGBps": \(decimal(near.gigabytesPerSecond)), \
        "memoryGBps": \(decimal(far.gigabytesPerSecond)), "timesMemcpy": \(decimal(ratio))\(target ?? "")}
        """
    }
    print("{\"kernels\": [\n\(lines.joined(separator: ",\n"))\n]}")
  }

  /// What the others are measured by: the quicker memcpy of the same run.
  private var reference: Double {
    fromMemory.filter { $0.name.hasPrefix("memcpy") }.map(\.gigabytesPerSecond).max() ?? .nan
  }

  /// A number with two decimals.
  private func decimal(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    let fraction = hundredths % 100
    return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
  }

  private func padded(_ text: String, to width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
