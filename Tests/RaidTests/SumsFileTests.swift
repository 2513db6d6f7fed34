import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import SystemPackage
import Testing

@testable import Raid

/// Sums that are kept in a file beside an array, as for one that another tool has made.
@Suite struct SumsFileTests {
  /// Members have more room for data than the array uses, as mdadm's often have.
  static let recipes = ArrayRecipe.redundant.map { $0.with { $0.hasSums = false } }

  @Test(arguments: recipes) func `damaged sums are renewed`(_ recipe: ArrayRecipe) throws {
    let sums = try SumsBench(recipe)
    let bench = sums.array
    #expect(try sums.isTrusted)
    let stride = (sums.file.byteCount - 4096) / recipe.slotCount
    for slot in 0..<recipe.slotCount {
      let page = 4096 + slot * stride
      sums.file.corrupt(page + 40..<page + 44)
    }
    var renewed = 0
    try sums.use { (array) throws in
      renewed = try array.scrub(RaidArray.ScrubOptions()).renewedSumCount
    }
    #expect(renewed > 0)
    // What has been renewed speaks again.
    try sums.use { (array) throws in
      #expect(try array.scrub(RaidArray.ScrubOptions()).renewedSumCount == 0)
    }
    let place = try bench.place(of: 0)
    bench.devices[place.slot].corrupt(place.deviceOffset..<place.deviceOffset + 10)
    try sums.use { (array) throws in
      let report = try array.scrub(RaidArray.ScrubOptions())
      #expect(report.findings.map(\.problem) == [.damaged])
      #expect(report.findings.map(\.slot) == [place.slot])
      #expect(report.repairedCount == 1)
      #expect(try bench.contents(array) == bench.model)
    }
  }

  @Test(arguments: recipes) func `a rebuilt member has the sums of what is on it`(
    _ recipe: ArrayRecipe
  ) throws {
    let sums = try SumsBench(recipe)
    let bench = sums.array
    var random = SeededGenerator(seed: 2)
    try sums.use(without: [1]) { (array) throws in
      try bench.write(random.bytes(array.byteCount / 2), at: 8192, to: array)
    }
    bench.devices[1] = bench.fresh(garbage: 3)
    try sums.use(without: [1]) { (array) throws in
      let ranges = try array.admit(bench.devices[1], toSlot: 1)
      #expect(try array.rebuild(slot: 1, ranges: ranges, SweepOptions()).isComplete)
    }
    #expect(try sums.isTrusted)
    try sums.use { (array) throws in
      #expect(try array.scrub(RaidArray.ScrubOptions()).findings == [])
      #expect(try bench.contents(array) == bench.model)
    }
    let at = try bench.dataOffset(1)
    bench.devices[1].corrupt(at..<at + 10)
    try sums.use { (array) throws in
      #expect(try array.scrub(RaidArray.ScrubOptions()).findings.map(\.slot) == [1])
      #expect(try bench.contents(array) == bench.model)
    }
  }

  @Test(arguments: recipes) func `the sums of a slot are those of its next member`(
    _ recipe: ArrayRecipe
  ) throws {
    let sums = try SumsBench(recipe)
    let bench = sums.array
    let new = bench.fresh(garbage: 3)
    try sums.use { (array) throws in
      try array.admitReplacement(new, forSlot: 1)
      try sums.write(8192, 9000, to: array)
      #expect(try array.rebuild(slot: 1, isReplacement: true, SweepOptions()).isComplete)
      try array.finishReplacing(slot: 1)
      try sums.write(4096, 20000, to: array)
    }
    bench.devices[1] = new
    #expect(try sums.isTrusted)
    let at = try bench.dataOffset(1)
    new.corrupt(at..<at + 10)
    try sums.use { (array) throws in
      #expect(try array.scrub(RaidArray.ScrubOptions()).findings.map(\.slot) == [1])
      #expect(try bench.contents(array) == bench.model)
    }
    try sums.check("\(recipe.testDescription)")
  }

  /// What a member has more than the array uses is of no account.
  @Test(arguments: recipes) func `a larger member comes, and goes`(_ recipe: ArrayRecipe) throws {
    let sums = try SumsBench(recipe)
    let bench = sums.array
    let large = MemoryDevice(byteCount: recipe.memberByteCount * 2, name: "large")
    for new in [large, bench.fresh()] {
      try sums.use { (array) throws in
        try array.admitReplacement(new, forSlot: 1)
        #expect(try array.rebuild(slot: 1, isReplacement: true, SweepOptions()).isComplete)
        try array.finishReplacing(slot: 1)
      }
      bench.devices[1] = new
      #expect(try sums.isTrusted)
      try sums.use { (array) throws in try sums.write(4096, 20000, to: array) }
      let at = try bench.dataOffset(1)
      new.corrupt(at..<at + 10)
      try sums.use { (array) throws in
        #expect(try array.scrub(RaidArray.ScrubOptions()).findings.map(\.slot) == [1])
        #expect(try bench.contents(array) == bench.model)
      }
      try sums.check("\(recipe.testDescription)")
    }
  }

  static let large = [ArrayRecipe.mirror, .raid5, .raid10].map {
    $0.with {
      $0.hasSums = false
      $0.dataByteCount = 6 << 20
    }
  }

  @Test(arguments: large) func `a member that fails leaves its sums to its replacement`(
    _ recipe: ArrayRecipe
  ) throws {
    let sums = try SumsBench(recipe)
    let bench = sums.array
    let new = bench.fresh(garbage: 3)
    try sums.use { (array) throws in
      try array.admitReplacement(new, forSlot: 1)
      try array.failMember(named: bench.devices[1].name)
      try sums.write(5000, 20000, to: array)
    }
    bench.devices[1] = new
    // One command fills a part, and another goes on from there.
    for isLast in [false, true] {
      try sums.use { (array) throws in
        var options = SweepOptions()
        options.workers = 1
        options.progress = { done, end in isLast || done < end / 3 }
        let report = try array.rebuild(slot: 1, isReplacement: true, options)
        #expect(report.isComplete == isLast)
        if isLast { try array.finishReplacing(slot: 1) }
        try sums.write(recipe.dataByteCount / 2, 30000, to: array)
      }
      #expect(try sums.isTrusted)
    }
    try sums.check("\(recipe.testDescription)")
  }

  @Test func `a block that is lost stays lost where the file is not given`() throws {
    let sums = try SumsBench(.mirror.with { $0.hasSums = false })
    let bench = sums.array
    // There is no list of bad blocks to say so.
    for device in bench.devices { try AssemblyTests.edit(device) { $0.badBlockLog = .init() } }
    let new = bench.fresh()
    let at = try bench.dataOffset(0) + 8192
    let faulty = FaultyDevice(
      bench.devices[0],
      plan: [
        .init(
          .touching(at..<at + 4096, by: .read), .fail(.unreadable(offset: at, errno: .ioError)))
      ])
    let original = bench.devices[0]
    bench.wrap = { device -> any BlockDevice in device === original ? faulty : device }
    try sums.use(without: [1]) { (array) throws in
      let ranges = try array.admit(new, toSlot: 1)
      let report = try array.rebuild(slot: 1, ranges: ranges, SweepOptions())
      #expect(report.lostBlocks == [8192])
      #expect(array.degradedSlots == [1])
    }
    bench.devices[1] = new
    let array = try bench.open(writable: false)
    var buffer = AlignedBuffer(byteCount: 4096)
    var bytes = buffer.mutableBytes
    for _ in 0..<4 {
      #expect(throws: (any Error).self) { try array.read(into: &bytes, range: 0..<4096, at: 8192) }
    }
  }

  @Test func `sums that can't be read are told, and cost nothing`() throws {
    let sums = try SumsBench(.raid5.with { $0.hasSums = false })
    let page = 4096..<8192
    let faulty = FaultyDevice(
      sums.file,
      plan: [.init(.touching(page, by: .read), .fail(.unreadable(offset: 4096, errno: .ioError)))])
    let assembly = try Assembly(try sums.array.devices.map { try MemberProbe($0) })
    let file = try SumsFile(faulty, for: assembly)
    let array = try RaidArray.open(assembly, sumsFile: file)
    #expect(try sums.array.contents(array) == sums.array.model)
    #expect(file.readProblem == .unreadable(offset: 4096, errno: .ioError))
    #expect(array.failures.isEmpty)
  }

  @Test(arguments: [0, 7, 12, 20, 60]) func `a damaged header is told as such`(byte: Int) throws {
    let sums = try SumsBench(.raid5.with { $0.hasSums = false })
    sums.file.corrupt(byte..<byte + 1)
    #expect(throws: RaidError.unsuitable(.damagedSumsFile("sums"))) { try sums.isTrusted }
  }

  @Test func `a file that is none of this array's is told as what it is`() throws {
    let sums = try SumsBench(.raid5.with { $0.hasSums = false })
    let assembly = try Assembly(try sums.array.devices.map { try MemberProbe($0) })
    let other = try SumsBench(.raid5.with { $0.hasSums = false }).file
    #expect(throws: RaidError.unsuitable(.foreignSumsFile("sums"))) {
      try SumsFile(other, for: assembly)
    }
    let text = MemoryDevice([UInt8](repeating: 65, count: other.byteCount), name: "text")
    #expect(throws: RaidError.unsuitable(.foreignSumsFile("text"))) {
      try SumsFile(text, for: assembly)
    }
    let short = MemoryDevice(Array(sums.file.contents.dropLast(512)), name: "short")
    #expect(
      throws: RaidError.unsuitable(
        .shortSumsFile("short", has: short.byteCount, needs: short.byteCount + 512))
    ) { try SumsFile(short, for: assembly) }
    let newer = sums.file.copy(name: "newer")
    newer.corrupt(8..<9) { _ in 2 }
    #expect(throws: RaidError.unsuitable(.unknownSumsFileVersion("newer", version: 2))) {
      try SumsFile(newer, for: assembly)
    }
  }

  @Test func `an array with sums on its members takes no file of them`() throws {
    let bench = try ArrayBench(.raid5)
    let file = MemoryDevice(byteCount: 1 << 20, name: "sums")
    #expect(throws: RaidError.unsuitable(.keepsSumsOnMembers)) {
      try SumsFile(file, for: try Assembly(try bench.devices.map { try MemberProbe($0) }))
    }
  }
}
