import BinaryCodec
import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import Testing

@testable import Raid

/// The rules by which members are taken or left, one by one.
@Suite struct AssemblyTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// Changes to members 0 to 3 of a clean array of four.
    var change: @Sendable ([MemoryDevice]) throws -> Void
    var given = [0, 1, 2, 3]
    var expected: [Assembly.Standing]
    var notGiven: [Int] = []
  }

  static let rows: [Row] = [
    Row(
      testDescription: "all are alike", change: { _ in },
      expected: (0..<4).map { .active(slot: $0) }),
    Row(
      testDescription: "the order in which they are given says nothing", change: { _ in },
      given: [2, 0, 3, 1],
      expected: [.active(slot: 2), .active(slot: 0), .active(slot: 3), .active(slot: 1)]),
    Row(
      testDescription: "one event behind is as good",
      change: { devices in try edit(devices[1]) { $0.events -= 1 } },
      expected: (0..<4).map { .active(slot: $0) }),
    Row(
      testDescription: "two events behind is stale",
      change: { devices in
        try edit(devices[1]) { $0.events = 40 }
        for index in [0, 2, 3] { try edit(devices[index]) { $0.events = 42 } }
      },
      expected: [
        .active(slot: 0), .stale(events: 40, newest: 42), .active(slot: 2), .active(slot: 3),
      ], notGiven: [1]),
    Row(
      testDescription: "events of all ones",
      change: { devices in try edit(devices[1]) { $0.events = .max } },
      expected: [
        .stale(events: 3, newest: .max), .active(slot: 1), .stale(events: 3, newest: .max),
        .stale(events: 3, newest: .max),
      ], notGiven: [0, 2, 3]),
    Row(
      testDescription: "the newest calls one failed",
      change: { devices in
        for index in [0, 2, 3] {
          try edit(devices[index]) {
            $0.events += 2
            $0.roles[1] = MDSuperblock.faulty
          }
        }
      },
      expected: [
        .active(slot: 0), .stale(events: 3, newest: 5), .active(slot: 2), .active(slot: 3),
      ]),
    Row(
      testDescription: "called failed at the same events",
      change: { devices in
        for index in [0, 2, 3] { try edit(devices[index]) { $0.roles[1] = MDSuperblock.faulty } }
      },
      expected: [.active(slot: 0), .failed, .active(slot: 2), .active(slot: 3)]),
    Row(
      testDescription: "an update that was cut off, and others that went on without it",
      change: { devices in
        for index in 1...3 { try edit(devices[index]) { $0.roles[0] = MDSuperblock.faulty } }
      },
      expected: [.failed, .active(slot: 1), .active(slot: 2), .active(slot: 3)]),
    Row(
      testDescription: "one that calls the newest failed has split off",
      change: { devices in
        try edit(devices[1]) { $0.roles[0] = MDSuperblock.faulty }
        try edit(devices[0]) { $0.events += 1 }
      },
      expected: [.active(slot: 0), .split, .active(slot: 2), .active(slot: 3)], notGiven: [1]),
    Row(
      testDescription: "a spare may lag",
      change: { devices in
        for index in 0..<3 {
          try edit(devices[index]) {
            $0.events += 5
            $0.roles[3] = MDSuperblock.spare
          }
        }
        try edit(devices[3]) { $0.roles[3] = MDSuperblock.spare }
      },
      expected: [.active(slot: 0), .active(slot: 1), .active(slot: 2), .spare]),
    Row(
      testDescription: "a spare that missed a change of the array",
      change: { devices in
        for index in 0..<3 {
          try edit(devices[index]) {
            $0.events += 5
            $0.chunkSectors *= 2
            $0.roles[3] = MDSuperblock.spare
          }
        }
        try edit(devices[3]) { $0.roles[3] = MDSuperblock.spare }
      },
      expected: [
        .active(slot: 0), .active(slot: 1), .active(slot: 2), .stale(events: 3, newest: 8),
      ]),
    Row(
      testDescription: "one that thinks itself active and has been taken out",
      change: { devices in
        for index in 0..<3 {
          try edit(devices[index]) {
            $0.events += 1
            $0.roles[3] = MDSuperblock.spare
          }
        }
      },
      expected: [
        .active(slot: 0), .active(slot: 1), .active(slot: 2), .stale(events: 3, newest: 4),
      ]),
    Row(
      testDescription: "being rebuilt so far",
      change: { devices in
        try edit(devices[2]) {
          $0.features.insert(.recoveryOffset)
          $0.recoveryOffsetSectors = 64
        }
      },
      expected: [
        .active(slot: 0), .active(slot: 1), .rebuilding(slot: 2, upTo: 32768), .active(slot: 3),
      ]),
    Row(
      testDescription: "a replacement beside its member",
      change: { devices in
        for device in devices { try edit(device) { $0.roles[3] = 2 } }
        try edit(devices[3]) {
          $0.features.formUnion([.recoveryOffset, .replacement])
          $0.recoveryOffsetSectors = 16
        }
      },
      expected: [
        .active(slot: 0), .active(slot: 1), .active(slot: 2), .replacement(slot: 2, upTo: 8192),
      ]),
    Row(
      testDescription: "given twice", change: { _ in }, given: [0, 1, 2, 3, 1],
      expected: (0..<4).map { .active(slot: $0) } + [.duplicate]),
    Row(
      testDescription: "one that was not given", change: { _ in }, given: [0, 1, 3],
      expected: [.active(slot: 0), .active(slot: 1), .active(slot: 3)], notGiven: [2]),
  ]

  @Test(arguments: rows) func `members stand as md has them`(_ row: Row) throws {
    let bench = try ArrayBench(.raid5)
    for device in bench.devices { try Self.edit(device) { $0.events = 3 } }
    try row.change(bench.devices)
    let assembly = try Assembly(row.given.map { try MemberProbe(bench.devices[$0]) })
    #expect(assembly.standings == row.expected)
    #expect(assembly.slotsNotGiven == row.notGiven)
  }

  @Test func `of two copies of a member the newer is used`() throws {
    for order in [[0, 1], [1, 0]] {
      let bench = try ArrayBench(.raid5)
      let old = bench.devices[1].copy(name: "old")
      for device in bench.devices { try Self.edit(device) { $0.events += 1 } }
      let copies = [old, bench.devices[1]]
      let given = [bench.devices[0], copies[order[0]], copies[order[1]], bench.devices[2]]
      let assembly = try Assembly(given.map { try MemberProbe($0) })
      #expect(assembly.members[try #require(assembly.holders[1].member)].name == "m1")
      #expect(assembly.standings[order[0] + 1] != assembly.standings[order[1] + 1])
    }
  }

  @Test func `a copy kept from earlier is never believed`() throws {
    for recipe in ArrayRecipe.redundant {
      let bench = try ArrayBench(recipe)
      try bench.fill(seed: 1)
      let old = bench.devices[1].copy()
      try bench.fill(seed: 2)
      bench.devices[1] = old
      #expect(throws: RaidError.readOnly(.membersNotGiven([1]))) { try bench.open() }
      #expect(try bench.contents(bench.open(writable: false)) == bench.model)
      let array = try bench.open(degraded: true)
      #expect(array.degradedSlots == [1])
      try array.close()
    }
  }

  @Test func `members of two arrays are refused`() throws {
    let (one, other) = (try ArrayBench(.raid5), try ArrayBench(.raid5))
    #expect(throws: RaidError.notStartable(.mixed("m0", "m1"))) {
      try RaidArray.open([one.devices[0], other.devices[1]])
    }
    #expect(throws: RaidError.notStartable(.noMembers)) { try RaidArray.open([]) }
  }

  @Test func `fields that must agree`() throws {
    let changes: [(String, @Sendable (inout MDSuperblock) -> Void)] = [
      ("level", { $0.level = 4 }), ("layout", { $0.layout = 1 }),
      ("chunk size", { $0.chunkSectors = 8 }), ("creation time", { $0.creationTime += 1 }),
      ("size", { $0.sizeSectors -= 8 }), ("number of members", { $0.slotCount = 5 }),
    ]
    for (field, change) in changes {
      let bench = try ArrayBench(.raid5)
      try Self.edit(bench.devices[2], change)
      #expect(
        throws: RaidError.notStartable(.contradiction(field: field, "m2", "m0"))
      ) { try bench.open(writable: false) }
    }
  }

  /// Halves that went on without each other, in the same second.
  @Test func `the order in which halves are given does not choose between them`() throws {
    let bench = try ArrayBench(.mirror)
    try bench.fill(seed: 2)
    for slot in 0..<2 {
      try Self.edit(bench.devices[slot]) {
        $0.roles[1 - slot] = MDSuperblock.faulty
        $0.updateSeconds = 1
      }
    }
    let devices = bench.devices as [any BlockDevice]
    let (one, other) = (
      try Assembly(devices: devices), try Assembly(devices: Array(devices.reversed()))
    )
    #expect(one.reference.deviceID == other.reference.deviceID)
  }

  /// Changes a superblock as somebody who knows its checksum.
  static func edit(_ device: MemoryDevice, _ change: (inout MDSuperblock) -> Void) throws {
    var superblock = try MemberProbe(device).superblock
    change(&superblock)
    let offset = Int(superblock.superOffsetSectors) * 512
    var block = try device.bytes(offset..<offset + 4096)
    let rest = Array(block[2048...])
    block.withMutableRawBytes { superblock.encode(into: &$0) }
    try device.write(Array(block[..<2048]) + rest, at: offset)
  }
}
