// How much CPU a random 4 KiB write to a RAID 5 with sums takes, beside the bare system calls that it stands for:
// reading and writing the data block, the parity block, and the block of sums of each.
//
//   ftool-bench-small-writes FOLDER
//
// Prints the median ratio of several interleaved rounds and nothing else. FOLDER should be on tmpfs.
//
//   ftool-bench-small-writes --durable FOLDER
//
// Likewise, how many such writes a second are durable, one by one, by way of the journal, beside what the members'
// own fdatasync allows when two of them are asked for each write. FOLDER should be on a disk.

import BlockStorage
import Glibc
import LinuxSystem
import Raid
import RaidGeometry

let isDurable = CommandLine.arguments.count == 3 && CommandLine.arguments[1] == "--durable"
guard isDurable || CommandLine.arguments.count == 2 else {
  print("usage: ftool-bench-small-writes [--durable] FOLDER")
  exit(64)
}
let folder = CommandLine.arguments.last!
let memberByteCount = 96 << 20
let writeCount = 20_000
let roundCount = 7

func seconds(_ clock: clockid_t) -> Double {
  var time = timespec()
  clock_gettime(clock, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func cpuSeconds() -> Double { seconds(CLOCK_PROCESS_CPUTIME_ID) }

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

func open(_ devices: [FileDevice], hasJournal: Bool) throws -> RaidArray {
  var request = ArrayCreation.Request(
    level: .singleParity, layout: ParityRotation.leftSymmetric.rawValue, chunkByteCount: 512 << 10,
    name: "small")
  request.hasJournal = hasJournal
  let creation = try ArrayCreation(request, devices: devices, spares: [])
  try creation.write()
  _ = try creation.initialise(assumesClean: false, SweepOptions())
  var options = RaidArray.Options()
  options.isWritable = true
  return try RaidArray.open(devices, options: options)
}

func measureDurable() throws -> [Double] {
  let devices = try makeMembers()
  let array = try open(devices, hasJournal: true)
  let count = 200
  var buffer = AlignedBuffer(byteCount: 4096)
  for device in devices { try device.flush() }
  var ratios: [Double] = []
  for round in 0..<roundCount {
    var bytes = buffer.mutableBytes
    bytes.storeBytes(of: UInt64(round + 1), as: UInt64.self)
    let offsets = (0..<count).map { index in
      Int(UInt64(index + round * count) &* 0x9e37_79b9_7f4a_7c15 >> 20) % (array.byteCount / 4096)
        * 4096
    }
    var start = seconds(CLOCK_MONOTONIC)
    for (index, offset) in offsets.enumerated() {
      let device = devices[index % 5]
      // Where nothing of the array lies that is looked at: behind the superblock.
      try device.write(buffer.bytes, range: 0..<4096, at: 8192 + offset % 4096)
      try device.flush()
    }
    let bare = Double(count) / (seconds(CLOCK_MONOTONIC) - start)
    start = seconds(CLOCK_MONOTONIC)
    for offset in offsets {
      try array.write(buffer.bytes, range: 0..<4096, atArrayOffset: offset)
      try array.flush()
    }
    let ours = Double(count) / (seconds(CLOCK_MONOTONIC) - start)
    ratios.append(ours / (bare / 2))
  }
  try array.close()
  for index in 0..<5 { try Files.unlink("\(folder)/small-\(index)") }
  return ratios
}

func measure() throws -> [Double] {
  let devices = try makeMembers()
  let array = try open(devices, hasJournal: false)
  let offsets = (0..<writeCount).map { index in
    Int(UInt64(index) &* 0x9e37_79b9_7f4a_7c15 >> 20) % (array.byteCount / 4096) * 4096
  }
  var buffer = AlignedBuffer(byteCount: 4096)
  var content = buffer.mutableBytes
  // Zeros would be looked for where they are already.
  for word in 0..<512 {
    content.storeBytes(of: UInt64(word &* 0x9e37_79b9 + 1), toByteOffset: word * 8, as: UInt64.self)
  }
  func ours() throws -> Double {
    let start = cpuSeconds()
    for offset in offsets {
      try array.write(buffer.bytes, range: 0..<4096, atArrayOffset: offset)
    }
    return cpuSeconds() - start
  }
  var other = AlignedBuffer(byteCount: 4096)
  func bare() throws -> Double {
    let start = cpuSeconds()
    for offset in offsets {
      let place = offset / 4 / 4096 * 4096
      let data = devices[offset / 4096 % 5]
      let parity = devices[(offset / 4096 + 1) % 5]
      for device in [data, parity] {
        for at in [place, memberByteCount - (1 << 20)] {
          var bytes = other.mutableBytes
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
  let ratios = try (isDurable ? measureDurable() : measure()).sorted()
  print(ratios[ratios.count / 2])
} catch {
  print("failed: \(error)")
  exit(1)
}
