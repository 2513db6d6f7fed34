extension KernelBenchmark {
  func printTable() {
    print("                              in cache   from memory            to memory too")
    print("                                  GB/s          GB/s  x memcpy           GB/s  x memcpy")
    for line in lines {
      var text = line.name + String(repeating: " ", count: max(1, 24 - line.name.count))
      text += padded(decimal(line.inCache.gigabytesPerSecond), to: 14)
      text += columns(of: line.fromMemory)
      text += "  " + (line.toMemory.map(columns) ?? padded("", to: 23))
      if let target = line.target {
        text +=
          "   target \(decimal(target)) \(ratio(of: line.fromMemory) >= target ? "met" : "not met")"
      }
      print(text)
    }
  }

  private func columns(of measurement: Measurement) -> String {
    padded(decimal(measurement.gigabytesPerSecond), to: 14)
      + padded(decimal(ratio(of: measurement)), to: 10)
  }

  func printJSON() {
    let objects = lines.map { line in
      var fields = [
        "\"name\": \"\(line.name)\"",
        "\"cacheGBps\": \(decimal(line.inCache.gigabytesPerSecond))",
        "\"memoryGBps\": \(decimal(line.fromMemory.gigabytesPerSecond))",
        "\"timesMemcpy\": \(decimal(ratio(of: line.fromMemory)))",
      ]
      if let toMemory = line.toMemory {
        fields.append("\"toMemoryGBps\": \(decimal(toMemory.gigabytesPerSecond))")
        fields.append("\"toMemoryTimesMemcpy\": \(decimal(ratio(of: toMemory)))")
      }
      if let target = line.target {
        fields.append("\"target\": \(decimal(target))")
        fields.append("\"met\": \(ratio(of: line.fromMemory) >= target)")
      }
      return "  {\(fields.joined(separator: ", "))}"
    }
    print("{\"kernels\": [\n\(objects.joined(separator: ",\n"))\n]}")
  }

  /// In times the quicker memcpy of the same run.
  private func ratio(of measurement: Measurement) -> Double {
    let copies = lines.filter { $0.name.hasPrefix("memcpy") }
    let quickest = copies.map(\.fromMemory.gigabytesPerSecond).max() ?? .nan
    return measurement.gigabytesPerSecond / quickest
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
