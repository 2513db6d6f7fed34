// How much CPU a random 4 KiB write to a RAID 5 with sums takes, beside the bare system calls that it stands for:
// reading and writing the data block, the parity block, and the block of sums of each.
//
//   ftool-bench-small-writes FOLDER
//
// Prints the median ratio of several interleaved rounds and nothing else. FOLDER should be on tmpfs.

import BlockStorage
import Glibc
import LinuxSystem
import Raid
import RaidGeometry

guard CommandLine.arguments.count == 2 else {
  print("usage: ftool-bench-small-writes FOLDER")
  exit(64)
}
let folder = CommandLine.arguments[1]
let memberByteCount = 96 << 20
let writeCount = 20_000
let roundCount = 7

func cpuSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Files whose pages are there already.
func makeMembers() throws -> [FileDevice] {
  try (0..<5).map { index in
    let path = "\(folder)/small-\(index)"
    try Files.createSparse(path, size: memberByteCount, exclusive: false)
    let device = try FileDevice.open(path)
    var buffer = AlignedBuffer(byteCount: 1 << 20)
    var bytes = buffer.mutableBytes
    for word in 0..<bytes.byteCount / 8 {
      bytes.storeBytes(of: UInt64(word &* 0x9e37_79b9), toByteOffset: word * 8, as: UInt64.self)
    }
    for offset in stride(from: 0, to: memberByteCount, by: 1 << 20) {
      try device.write(bytes.bytes, range: 0..<1 << 20, at: offset)
    }
    return device
  }
}

func measure() throws -> [Double] {
  let devices = try makeMembers()
  let request = ArrayCreation.Request(
    level: .singleParity, layout: ParityRotation.leftSymmetric.rawValue, chunkByteCount: 512 << 10,
    name: "small")
  let creation = try ArrayCreation(request, devices: devices, spares: [])
  try creation.write()
  _ = try creation.initialise(assumesClean: false, SweepOptions())
  var options = RaidArray.Options()
  options.isWritable = true
  let array = try RaidArray.open(devices, options: options)
  let offsets = (0..<writeCount).map { index in
    Int(UInt64(index) &* 0x9e37_79b9_7f4a_7c15 >> 20) % (array.byteCount / 4096) * 4096
  }
  var buffer = AlignedBuffer(byteCount: 4096)
  func ours() throws -> Double {
    let start = cpuSeconds()
    for offset in offsets {
      try array.write(buffer.bytes, range: 0..<4096, atArrayOffset: offset)
    }
    return cpuSeconds() - start
  }
  func bare() throws -> Double {
    let start = cpuSeconds()
    for offset in offsets {
      let place = offset / 4 / 4096 * 4096
      let data = devices[offset / 4096 % 5]
      let parity = devices[(offset / 4096 + 1) % 5]
      for device in [data, parity] {
        for at in [place, memberByteCount - (1 << 20)] {
          var bytes = buffer.mutableBytes
          try device.read(into: &bytes, range: 0..<4096, at: at)
          try device.write(bytes.bytes, range: 0..<4096, at: at)
        }
      }
    }
    return cpuSeconds() - start
  }
  _ = try ours()
  var ratios: [Double] = []
  for _ in 0..<roundCount {
    let plain = try bare()
    ratios.append(try ours() / plain)
  }
  try array.close()
  for index in 0..<5 { try Files.unlink("\(folder)/small-\(index)") }
  return ratios
}

do {
  let ratios = try measure().sorted()
  print(ratios[ratios.count / 2])
} catch {
  print("failed: \(error)")
  exit(1)
}
