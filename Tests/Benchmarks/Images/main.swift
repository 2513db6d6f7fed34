// How fast images are written and read, beside what their codec alone does on as many cores.
//
//   ftool-bench-image FOLDER [MIB] [CODEC]
//
// Prints two ratios, the medians of several interleaved rounds: writing, of compressing alone; reading, of
// decompressing alone. With codec `none`, both of copying the bytes. FOLDER should be on tmpfs. With -v in the
// environment variable FTOOL_BENCH, rates too.
//
//   ftool-bench-image --hold MIB small|huge [AREAS]     has such memory, in so many areas besides, until it is killed
//   ftool-bench-image --codec MIB [CODEC]               seconds of the codec alone for it, on all cores
//   ftool-bench-image --copy MIB                        seconds of memcpy for it, onto memory that is there

import BinaryCodec
import CheckpointFormat
import Compression
import Glibc
import LinuxSystem

let arguments = CommandLine.arguments
guard arguments.count >= 2,
  let setting = CodecSetting(
    arguments.count > 3 && arguments[1] != "--hold" ? arguments[3] : "\(CodecSetting.standard)"),
  setting.codec.isBuiltIn
else {
  print("usage: ftool-bench-image FOLDER [MIB] [CODEC]")
  exit(64)
}
let path = "\(arguments[1])/image"
let blockByteCount = BlockBuffer.capacity
let blockCount = (arguments.count > 2 ? Int(arguments[2]) ?? 512 : 512) * 4
let roundCount = 5

/// Something like a heap: small numbers, pointers of near places, text, and here and there a page of noise.
func makeMemory(byteCount: Int) -> [UInt8] {
  var words = [UInt64](repeating: 0, count: byteCount / 8)
  var state: UInt64 = 1
  func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 20
  }
  let text: [UInt64] = [0x2065_6874_2064_6e61, 0x6f20_6874_6977_2066, 0x7473_7572_7420_7265]
  var index = 0
  while index < words.count {
    let kind = next() % 16
    for word in index..<min(index + 512, words.count) {
      words[word] =
        switch kind {
        case 0: next() << 44 ^ next()
        case 1...4: next() % 8 == 0 ? next() % 1000 : 0
        case 5...9: next() % 3 == 0 ? 0x7f12_3450_0000 + next() % 65536 * 16 : next() % 64
        case 10...12: text[Int(next() % 3)] ^ (next() % 4 == 0 ? next() % 65536 : 0)
        default: next() % 2 == 0 ? 0x5555_5000_0000 + next() % 4096 * 8 : UInt64(word % 128)
        }
    }
    index += 512
  }
  return words.withUnsafeBytes { [UInt8]($0) }
}

/// What the codec made of each block; empty where it was no use.
final class Packed: Sendable {
  let blocks: Monitor<[[UInt8]]>
  init() { blocks = Monitor([[UInt8]](repeating: [], count: blockCount)) }
}

/// Memory for somebody to save.
func hold(_ kind: String, areas: Int) -> Never {
  let hugeByteCount = 2 << 20
  let byteCount = blockCount * blockByteCount
  let start = mmap(
    nil, byteCount + hugeByteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
  let skipped = (hugeByteCount - Int(bitPattern: start) % hugeByteCount) % hugeByteCount
  madvise(start + skipped, byteCount, kind == "huge" ? MADV_HUGEPAGE : MADV_NOHUGEPAGE)
  let part = 64 * blockByteCount  // what is made at a time
  let bytes = makeMemory(byteCount: part)
  for offset in stride(from: 0, to: byteCount, by: part) {
    let target = start + skipped + offset
    bytes.withUnsafeBytes {
      target.copyMemory(from: $0.baseAddress!, byteCount: min(part, byteCount - offset))
    }
    // So that no page is there twice.
    for page in stride(from: 0, to: min(part, byteCount - offset), by: Machine.pageSize) {
      target.storeBytes(of: offset + page + 1, toByteOffset: page, as: Int.self)
    }
  }
  for number in 0..<areas {
    let protection = number % 2 == 0 ? PROT_READ | PROT_WRITE : PROT_READ
    _ = mmap(nil, Machine.pageSize, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
  }
  print("ready")
  fflush(nil)
  while true { pause() }
}

if arguments[1] == "--hold" {
  hold(
    arguments.count > 3 ? arguments[3] : "small",
    areas: arguments.count > 4 ? Int(arguments[4]) ?? 0 : 0)
}
let memory = makeMemory(byteCount: blockCount * blockByteCount)
let packed = Packed()

func seconds(_ body: () throws -> Void) rethrows -> Double {
  let start = Machine.monotonicSeconds()
  try body()
  return Machine.monotonicSeconds() - start
}

/// Each core takes the next block until none is left.
func onAllCores(
  _ body:
    @Sendable @escaping (Int, inout AlignedBuffer, inout Compressor, inout Decompressor) -> Void
) {
  let next = Monitor(0)
  runInParallel(workers: Machine.cores) { _ in
    var buffer = AlignedBuffer(byteCount: blockByteCount)
    var compressor = Compressor(setting)
    var decompressor = Decompressor()
    while true {
      let block = next.withLock { next in
        next += 1
        return next - 1
      }
      if block >= blockCount { return }
      body(block, &buffer, &compressor, &decompressor)
    }
  }
}

func compress(keeping: Bool) {
  let memory = memory
  onAllCores { block, buffer, compressor, _ in
    let source = block * blockByteCount..<(block + 1) * blockByteCount
    var target = buffer.mutableBytes
    if setting.codec == .none {
      target.copy(memory.rawBytes.sub(source), at: 0)
      return
    }
    var room = target._mutatingExtracting(0..<blockByteCount - blockByteCount / 16)
    let count = compressor.compress(memory.rawBytes.sub(source), into: &room)
    if keeping, let count {
      let bytes = room.bytes.array(0..<count)
      packed.blocks.withLock { $0[block] = bytes }
    }
  }
}

func decompress() {
  let blocks = packed.blocks.withLock { $0 }
  let memory = memory
  onAllCores { block, buffer, _, decompressor in
    let source = block * blockByteCount..<(block + 1) * blockByteCount
    var target = buffer.mutableBytes
    let stored = blocks[block]
    if stored.isEmpty {
      target.copy(memory.rawBytes.sub(source), at: 0)
    } else {
      try! decompressor.decompress(stored.rawBytes, of: setting.codec, into: &target)
    }
  }
}

func write() throws -> Int {
  let file = try OwnedDescriptor.open(path, access: .readWrite, options: [.create])
  let writer = try ImageWriter(file, codec: setting)
  try writer.writeState([])
  for block in 0..<blockCount {
    var buffer = try writer.borrow()
    _ = buffer.append(
      address: UInt64(block * blockByteCount), pageCount: blockByteCount / Machine.pageSize)
    var bytes = buffer.bytes
    let memory = memory
    let start = block * blockByteCount
    bytes.copy(memory.rawBytes.sub(start..<start + blockByteCount), at: 0)
    try writer.write(buffer, space: 1)
  }
  return try writer.finish().storedByteCount
}

func read() throws {
  let reader = try ImageReader(OwnedDescriptor.open(path, access: .readOnly))
  _ = try reader.state()
  try reader.forEachFrame { _ in }
}

if arguments[1] == "--codec" {
  compress(keeping: false)
  print(min(seconds { compress(keeping: false) }, seconds { compress(keeping: false) }))
  exit(0)
}
if arguments[1] == "--copy" {
  var target = [UInt8](repeating: 1, count: memory.count)
  let times = (0..<3).map { _ in
    seconds { target.withUnsafeMutableBytes { $0.copyBytes(from: memory) } }
  }
  print(times.min()!)
  exit(0)
}

do {
  compress(keeping: true)
  let storedByteCount = try write()  // its pages are there from now on
  try read()
  var writeRatios: [Double] = []
  var readRatios: [Double] = []
  var best = (compress: 1e9, write: 1e9, decompress: 1e9, read: 1e9)
  for _ in 0..<roundCount {
    let compressing = seconds { compress(keeping: false) }
    let writing = try seconds { _ = try write() }
    let decompressing = seconds { decompress() }
    let reading = try seconds { try read() }
    writeRatios.append(compressing / writing)
    readRatios.append(decompressing / reading)
    best.compress = min(best.compress, compressing)
    best.write = min(best.write, writing)
    best.decompress = min(best.decompress, decompressing)
    best.read = min(best.read, reading)
  }
  try Files.unlink(path)
  let writing = writeRatios.sorted()[roundCount / 2]
  let reading = readRatios.sorted()[roundCount / 2]
  print(writing, reading)
  if Machine.environment("FTOOL_BENCH") == "-v" {
    let megabytes = Double(blockCount * blockByteCount) / 1e6
    print("\(setting): stored \(Double(storedByteCount) / 1e6 / megabytes)")
    print("compress \(megabytes / best.compress) write \(megabytes / best.write) MB/s")
    print("decompress \(megabytes / best.decompress) read \(megabytes / best.read) MB/s")
  }
} catch {
  print("failed: \(error)")
  exit(1)
}
