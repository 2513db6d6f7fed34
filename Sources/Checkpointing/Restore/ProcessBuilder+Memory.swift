import BinaryCodec
import LinuxSystem

/// How its address space is laid out.
extension ProcessBuilder {
  /// Smaller areas are sooner written than filled.
  private static let leastToFill: UInt64 = 4 << 20

  /// madvise(2), by what smaps calls it.
  private static let advice: [String: UInt64] = [
    "hg": 14, "nh": 15, "dd": 16, "dc": 10, "wf": 18, "mg": 12, "rr": 1, "sr": 2,
  ]

  /// A place for so many bytes that nobody uses.
  static func hole(besides used: [Range<UInt64>], byteCount: UInt64) -> UInt64? {
    var candidate: UInt64 = 1 << 32
    for range in used.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if range.lowerBound >= candidate + 2 * byteCount { break }
      candidate = max(candidate, (range.upperBound + byteCount) & ~(byteCount - 1))
    }
    return candidate + byteCount < endOfAddresses ? candidate : nil
  }

  /// Removes the stub's memory and maps the saved process's, all empty but for what files give.
  func layOutMemory() throws(CheckpointError) {
    try take()
    let scratch = injector.scratch
    try call(.munmap, "munmap", 0, scratch.lowerBound)
    try call(
      .munmap, "munmap", scratch.upperBound, Self.endOfAddresses - scratch.upperBound)
    try setPersonalityForMapping()
    try placeKernelPages()
    for area in state.areas where area.content != .kernel { try map(area) }
    for area in state.neighboursApart {
      try call(.madvise, "madvise", area.address, area.byteCount, area.otherDumpAdvice)
    }
  }

  /// READ_IMPLIES_EXEC: what is mapped while it is set may be executed.
  private static let readImpliesExecution: UInt32 = 0x40_0000

  /// All of it but what would change how memory is mapped.
  func setPersonalityForMapping() throws(CheckpointError) {
    try call(
      .personality, "personality", UInt64(state.personality & ~Self.readImpliesExecution))
  }

  /// When all memory is there, and before there are threads, which have it of the first.
  func setPersonality() throws(CheckpointError) {
    if state.personality & Self.readImpliesExecution != 0 {
      try call(.personality, "personality", UInt64(state.personality))
    }
  }

  /// vvar and vdso where they were: the kernel maps them in one piece (arch/x86/entry/vdso/vma.c).
  func placeKernelPages() throws(CheckpointError) {
    let pages = state.areas.filter { $0.content == .kernel }
    guard let first = pages.map(\.address).min(),
      let vdso = pages.first(where: { $0.name == "[vdso]" })
    else { return }
    try call(.archPrctl, "arch_prctl(ARCH_MAP_VDSO_64)", 0x2003, first)
    let id = id
    let now = try about(id) { () throws(SystemCallError) in
      try MemoryArea.all(of: id, withFlags: false)
    }
    guard let found = now.first(where: { $0.name == "[vdso]" }), found.addresses == vdso.addresses
    else {
      throw .obstacles([
        Obstacle(
          id, "the vdso", "it has another size or place under this kernel than when it was saved",
          remedy: "restore under the kernel that it was saved under")
      ])
    }
    let code = try about(id) { () throws(SystemCallError) in try KernelCode(in: now, memory) }
    let isInside = state.threads.contains {
      $0.registers.count == Registers.wordCount
        && vdso.addresses.contains(Registers(words: $0.registers).instructionPointer)
    }
    guard code?.suits(state.kernelCode, isInside: isInside) ?? state.kernelCode.isEmpty else {
      throw .obstacles([
        Obstacle(
          id, "the vdso", "this kernel has other functions there than the one it was saved under",
          remedy: "restore under the kernel that it was saved under")
      ])
    }
    injector.ownInstruction =
      try about(id) { () throws(SystemCallError) in
        try CallInstruction.find(in: now, memory)
      } ?? injector.ownInstruction
  }

  func map(_ area: AreaState) throws(CheckpointError) {
    if area.content == .object, let segment = try restoration.object(Int(area.object)).segment {
      try attach(area, segment)
    } else {
      try mapPages(of: area)
    }
    for flag in area.flags {
      guard let advice = Self.advice[flag], !area.isDroppable else { continue }
      try call(.madvise, "madvise", area.address, area.byteCount, advice)
    }
    try installGuards(in: area)
    for kind in ["[anon:", "[anon_shmem:"] where area.name.hasPrefix(kind) {
      let name = try put(Array(area.name.dropFirst(kind.count).dropLast().utf8.prefix(79)) + [0])
      // PR_SET_VMA, PR_SET_VMA_ANON_NAME
      try call(.prctl, "prctl(PR_SET_VMA)", 0x5356_4d41, 0, area.address, area.byteCount, name)
    }
  }

  func installGuards(in area: AreaState) throws(CheckpointError) {
    guard area.flags.contains("gu") else { return }
    for index in stride(from: 0, to: area.guards.count, by: 2) {
      // MADV_GUARD_INSTALL
      try call(
        .madvise, "madvise(MADV_GUARD_INSTALL)", area.guards[index],
        area.guards[index + 1] - area.guards[index], 102)
    }
    // Once there were some: neighbours that differ in that do not become one area.
    if area.guards.isEmpty {
      try call(.madvise, "madvise(MADV_GUARD_INSTALL)", area.address, 4096, 102)
      try call(.madvise, "madvise(MADV_GUARD_REMOVE)", area.address, 4096, 103)
    }
  }

  /// System V memory is attached as a whole; what had been unmapped of it goes again.
  func attach(_ area: AreaState, _ segment: ObjectState) throws(CheckpointError) {
    let (end, overflow) = area.offset.addingReportingOverflow(area.byteCount)
    let whole = segment.pages.upperBound
    guard !overflow, end <= whole else { throw .inconsistent(.overlappingAreas) }
    var size: UInt64 = 1 << 20
    while size < whole { size *= 2 }
    guard
      let place = Self.hole(
        besides: state.areas.map(\.addresses) + [injector.scratch], byteCount: size)
    else { throw .inconsistent(.overlappingAreas) }
    // SHM_RDONLY, SHM_EXEC
    let flags: UInt64 =
      (area.needsWriting ? 0 : 0o10000) | (area.protection & 4 != 0 ? 0o100000 : 0)
    try call(.shmat, "shmat", UInt64(UInt32(bitPattern: segment.id)), place, flags)
    // MREMAP_MAYMOVE | MREMAP_FIXED
    try call(
      .mremap, "mremap", place + area.offset, area.byteCount, area.byteCount, 3, area.address)
    if area.offset > 0 { try call(.munmap, "munmap", place, area.offset) }
    if end < whole { try call(.munmap, "munmap", place + end, whole - end) }
    try call(.mprotect, "mprotect", area.address, area.byteCount, UInt64(area.protection))
  }

  func mapPages(of area: AreaState) throws(CheckpointError) {
    // MAP_SHARED, MAP_DROPPABLE or MAP_PRIVATE; MAP_FIXED_NOREPLACE
    var flags: UInt64 = (area.isShared ? 0x01 : area.isDroppable ? 0x08 : 0x02) | 0x10_0000
    if area.content == .anonymous { flags |= 0x20 }
    if area.flags.contains("gd") { flags |= 0x100 }
    if area.flags.contains("nr") { flags |= 0x4000 }
    // One that will be protected has to be written first.
    let protection = UInt64(area.protection) | (area.wasWritable ? 2 : 0)
    try call(
      .mmap, "mmap", area.address, area.byteCount, protection, flags,
      try restoration.number(of: area), area.content == .anonymous ? 0 : area.offset)
  }

  /// The quicker way to fill memory, where this process may use it and has enough to fill.
  func takeFilling() throws(SystemCallError) -> SpaceMemory.Filling? {
    let inherited = inherited
    let areas = state.areas.filter { area in
      // Where pages shall be huge, writing makes them so; and where some are there already, no others are
      // missing.
      area.content == .anonymous && area.keepsPages && !area.flags.contains("hg")
        && !inherited.contains { $0.lowerBound == area.address }
    }
    guard areas.reduce(0, { $0 + $1.byteCount }) >= Self.leastToFill, !Machine.usesHugePages,
      let number = try? injector.callForResult(.userfaultfd, [PageFiller.flags]), number >= 0
    else { return nil }
    let descriptor = try? id.openDescriptor().takeDescriptor(Int32(number))
    _ = try? injector.callForResult(.close, [UInt64(number)])
    guard let descriptor, let filler = try? PageFiller(descriptor) else { return nil }
    var ranges: [Range<UInt64>] = []
    for area in areas.sorted(by: { $0.address < $1.address }) {
      // An area that can't be filled so is written.
      if (try? filler.register(area.addresses)) != nil { ranges.append(area.addresses) }
    }
    return SpaceMemory.Filling(filler: filler, ranges: ranges)
  }

  func describeMemory() throws(CheckpointError) {
    guard state.memory.places.count == 11, state.memory.auxiliaryVector.count <= 4096 else {
      throw .malformed(.outOfRange(13))
    }
    let vector = try put(state.memory.auxiliaryVector, at: 1024)
    let count = UInt64(state.memory.auxiliaryVector.count)
    // The program that a stub is already can't be set once more where it is mapped: -1 leaves it.
    let executable =
      isStubs(state.executable)
      ? UInt64(UInt32.max) : try restoration.number(ofDirectory: state.executable)
    // struct prctl_mm_map
    let map = try put(words: state.memory.places + [vector, count | executable << 32])
    try call(.prctl, "prctl(PR_SET_MM_MAP)", 35, 14, map, 104)
  }

  /// Whether a path leads to the program that this process has of the one that made it.
  private func isStubs(_ executable: String) -> Bool {
    guard let own = try? Files.status(of: "\(id.folder)/exe").identity else { return false }
    return own == (try? Files.status(of: restoration.place(of: executable)))?.identity
  }

  /// Anonymous memory that is protected before anything was ever written to it no longer counts as memory of its own
  /// (mprotect_fixup in mm/mprotect.c): so where all that was written has been given back, that happens once more.
  private func noteUse(of area: AreaState) throws(CheckpointError) {
    guard area.content == .anonymous else { return }
    let id = id
    let isUsed = try about(id) { () throws(SystemCallError) in
      try !PageScan(of: id).firstRuns(
        in: area.addresses, wanted: [.present, .swapped], excluded: .zero
      ).runs.isEmpty
    }
    if isUsed { return }
    // MADV_POPULATE_WRITE, MADV_DONTNEED
    for advice: UInt64 in [23, 4] {
      try want(
        .madvise, [area.address, 4096, advice],
        "memory at \(String(area.address, radix: 16))", "it does not count as used")
    }
  }

  /// An area that nobody may touch is locked by a call that fails, since its pages can't be brought in; to lock what
  /// will be brought in fails only where it is not allowed.
  private func lock(_ area: AreaState) throws(CheckpointError) {
    let whenTouched = area.flags.contains("lf")
    // MLOCK_ONFAULT
    try want(
      .mlock2, [area.address, area.byteCount, whenTouched || area.protection == 0 ? 1 : 0],
      "memory at \(String(area.address, radix: 16))", "it could not be locked")
    if area.protection == 0 && !whenTouched {
      _ = try inside(id) { () throws(InjectionError) in
        try injector.callForResult(.mlock2, [area.address, area.byteCount, 0])
      }
    }
  }

  func setMemoryOptions() throws(CheckpointError) {
    for area in state.neighboursApart {
      try call(.madvise, "madvise", area.address, area.byteCount, area.dumpAdvice)
    }
    for area in state.areas where area.wasWritable && area.protection & 2 == 0 {
      try noteUse(of: area)
      try call(.mprotect, "mprotect", area.address, area.byteCount, UInt64(area.protection))
    }
    for area in state.areas where area.flags.contains("lo") { try lock(area) }
    let memory = state.memory
    if memory.lockedInFuture != 0 {
      try want(
        .mlockall, [UInt64(memory.lockedInFuture)], "memory to come", "it could not be locked")
    }
    // PR_SET_THP_DISABLE: the lowest bit says whether, the others how.
    let huge = UInt64(memory.avoidsHugePages)
    try want(
      .prctl, [41, huge & 1, huge & ~1, 0, 0], "PR_SET_THP_DISABLE", "it could not be set")
    if memory.mergesPages {
      try want(.prctl, [67, 1, 0, 0, 0], "PR_SET_MEMORY_MERGE", "it could not be set")
    }
    for area in state.areas where area.flags.contains("sl") && area.content != .kernel {
      try call(.mseal, "mseal", area.address, area.byteCount, 0)
    }
  }
}

extension AreaState {
  /// A private area that was writable once counts as memory of its own, also where it is read-only now; the
  /// kernel forgets that when it is protected before anything was written there.
  fileprivate var wasWritable: Bool { !isShared && flags.contains("ac") }
}

extension ProcessState {
  /// Every second of areas that the kernel would make into one, though it had not: they were written before
  /// they became alike. So they are told apart until they have been written again.
  var neighboursApart: [AreaState] {
    var apart: [AreaState] = []
    for (one, next) in zip(areas, areas.dropFirst())
    where one.addresses.upperBound == next.address && one.content == .anonymous
      && next.content == .anonymous && !one.isShared && !next.isShared && one.name == next.name
      && one.protection == next.protection && one.flags == next.flags && !one.isDroppable
      && apart.last?.address != one.address
    {
      apart.append(next)
    }
    return apart
  }
}

extension AreaState {
  /// MADV_DONTDUMP or MADV_DODUMP: what it has, and the other.
  var dumpAdvice: UInt64 { flags.contains("dd") ? 16 : 17 }
  var otherDumpAdvice: UInt64 { flags.contains("dd") ? 17 : 16 }
}
