import BinaryCodec
import MDFormat
import Testing

/// A superblock that mdadm 4.2 and Linux 6.1 wrote, and what an independent reader found in it. What
/// that reader does not say of version 0.90 is nil.
struct GoldenSuperblock: CustomTestStringConvertible, Sendable {
  var fixture: String
  var version: MDMetadataVersion
  var memberSectors: Int
  var arrayID: String
  var deviceID: String?
  var name: String
  var features: UInt32
  var level: Int32
  var layout: UInt32
  var chunkSectors: UInt32
  var slotCount: Int
  var role: MDRole
  var deviceNumber: UInt32
  var events: UInt64
  var resyncOffset: UInt64?
  var size: UInt64
  var dataOffset: UInt64
  var dataSize: UInt64?
  var recoveryOffset: UInt64
  var bitmapOffset: Int32
  var badBlockOffset: Int32
  var deviceFlags: UInt8
  var reshape: MDReshape? = nil

  var testDescription: String { fixture }

  func bytes() throws -> [UInt8] { try Fixture.bytes(fixture) }

  func superblock() throws -> MDSuperblock {
    let bytes = try bytes()  // in the call itself it breaks the compiler, 6.3.1
    return try MDSuperblock(
      decoding: bytes.rawBytes, version: version, memberSectors: memberSectors)
  }

  static func named(_ name: String) -> GoldenSuperblock {
    all.first { $0.fixture == "superblock-" + name }!
  }

  static let version1 = all.filter { $0.version != .v0_90 }
  static let version0 = all.filter { $0.version == .v0_90 }

  static let all: [GoldenSuperblock] = [
    GoldenSuperblock(
      fixture: "superblock-linear-3-unequal-1", version: .v1_2, memberSectors: 68608,
      arrayID: "24cc9f16:dc78134f:8b9b1646:655a55ed",
      deviceID: "217785aa:3068c275:9f25dfcf:dd467a3a",
      name: "golden:linear-3-unequal", features: 0, level: -1, layout: 0,
      chunkSectors: 0, slotCount: 3, role: .slot(1), deviceNumber: 1, events: 0,
      resyncOffset: .max, size: 0, dataOffset: 2048, dataSize: 66560,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 8, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid0-3-unequal-alternate-0", version: .v1_2, memberSectors: 40960,
      arrayID: "9797d320:66e44db3:3c62832e:cf032197",
      deviceID: "a414aae6:7c0460a2:5aac5e6b:ff178ad4",
      name: "raid0-3-unequal-alternate", features: 4096, level: 0, layout: 2,
      chunkSectors: 128, slotCount: 3, role: .slot(0), deviceNumber: 0, events: 0,
      resyncOffset: .max, size: 0, dataOffset: 2048, dataSize: 38912,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 8, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid1-2-v0.90-0", version: .v0_90, memberSectors: 49152,
      arrayID: "fd21cbbb:4f81d3c4:c7ad30ec:0049739e", deviceID: nil,
      name: "", features: 0, level: 1, layout: 0,
      chunkSectors: 0, slotCount: 2, role: .slot(0), deviceNumber: 0, events: 21,
      resyncOffset: nil, size: 49024, dataOffset: 0, dataSize: nil,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 0, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid1-2-v1.0-0", version: .v1_0, memberSectors: 49152,
      arrayID: "dd70f83a:cef2db80:2c6d47f2:daecd60b",
      deviceID: "885e9f77:f3814046:d4941f1d:b08fe810",
      name: "golden:raid1-2-v1.0", features: 0, level: 1, layout: 0,
      chunkSectors: 0, slotCount: 2, role: .slot(0), deviceNumber: 0, events: 20,
      resyncOffset: .max, size: 49024, dataOffset: 0, dataSize: 49120,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: -8, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid1-2-v1.1-1", version: .v1_1, memberSectors: 49152,
      arrayID: "15bc1ffa:ec899e85:a4157d8d:51bddbe5",
      deviceID: "748f13c5:c0506051:741b3592:d438e94d",
      name: "golden:raid1-2-v1.1", features: 0, level: 1, layout: 0,
      chunkSectors: 0, slotCount: 2, role: .slot(1), deviceNumber: 1, events: 20,
      resyncOffset: .max, size: 47104, dataOffset: 2048, dataSize: 47104,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 16, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid1-2-failfast-1", version: .v1_2, memberSectors: 49152,
      arrayID: "94e6de90:b2c47e82:1c47a23e:8ae89acc",
      deviceID: "3c287284:b120b6a4:72ed69be:45bcda3e",
      name: "golden:raid1-2-failfast", features: 0, level: 1, layout: 0,
      chunkSectors: 0, slotCount: 2, role: .slot(1), deviceNumber: 1, events: 20,
      resyncOffset: .max, size: 47104, dataOffset: 2048, dataSize: 47104,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 16, deviceFlags: 2),
    GoldenSuperblock(
      fixture: "superblock-raid1-3-bitmap-2", version: .v1_2, memberSectors: 49152,
      arrayID: "902b62cc:a33183a0:89683e7b:3d5bac75",
      deviceID: "9d890daf:40d45b24:7e2b8ca0:1fbb3f3f",
      name: "golden:raid1-3-bitmap", features: 1, level: 1, layout: 0,
      chunkSectors: 0, slotCount: 3, role: .slot(2), deviceNumber: 2, events: 20,
      resyncOffset: .max, size: 47104, dataOffset: 2048, dataSize: 47104,
      recoveryOffset: 0, bitmapOffset: 8, badBlockOffset: 16, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid1-2-bitmap-v0.90-1", version: .v0_90, memberSectors: 49152,
      arrayID: "9cda6139:2dbb1aa1:c7ad30ec:0049739e", deviceID: nil,
      name: "", features: 0, level: 1, layout: 0,
      chunkSectors: 0, slotCount: 2, role: .slot(1), deviceNumber: 1, events: 21,
      resyncOffset: nil, size: 49024, dataOffset: 0, dataSize: nil,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 0, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid10-n2-4-degraded-0", version: .v1_2, memberSectors: 49152,
      arrayID: "0bed81c8:2fd80ed7:aad7b7b3:d8834641",
      deviceID: "265c9881:ff6b3baf:0755d852:806f0175",
      name: "golden:raid10-n2-4-degraded", features: 0, level: 10, layout: 258,
      chunkSectors: 128, slotCount: 4, role: .slot(0), deviceNumber: 0, events: 8,
      resyncOffset: .max, size: 47104, dataOffset: 2048, dataSize: 47104,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 16, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid4-3-v0.90-2", version: .v0_90, memberSectors: 49152,
      arrayID: "87fa6f38:008bfffa:c7ad30ec:0049739e", deviceID: nil,
      name: "", features: 0, level: 4, layout: 0,
      chunkSectors: 128, slotCount: 3, role: .slot(2), deviceNumber: 2, events: 22,
      resyncOffset: nil, size: 49024, dataOffset: 0, dataSize: nil,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 0, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid5-3-2", version: .v1_2, memberSectors: 49152,
      arrayID: "12b9fd08:c32462f8:07940ccb:c4e8c067",
      deviceID: "f84a929e:6ea8659a:8de9ab54:98bc2b2a",
      name: "golden:raid5-3", features: 0, level: 5, layout: 2,
      chunkSectors: 1024, slotCount: 3, role: .slot(2), deviceNumber: 3, events: 21,
      resyncOffset: .max, size: 45056, dataOffset: 4096, dataSize: 45056,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 16, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid5-3-unclean-0", version: .v1_2, memberSectors: 49152,
      arrayID: "57d3fcf6:fc8d3e27:65f01394:6161fd14",
      deviceID: "ec89e903:5a23c27b:c639855e:6933dda5",
      name: "golden:raid5-3-unclean", features: 0, level: 5, layout: 2,
      chunkSectors: 128, slotCount: 3, role: .slot(0), deviceNumber: 0, events: 19,
      resyncOffset: 0, size: 47104, dataOffset: 2048, dataSize: 47104,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 16, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid5-3-rebuilding-3", version: .v1_2, memberSectors: 49152,
      arrayID: "e4787018:3c1ae6ae:3c285b77:751a37ae",
      deviceID: "c952b8a9:05263ef9:aeba3141:c15e5c6c",
      name: "golden:raid5-3-rebuilding", features: 2, level: 5, layout: 2,
      chunkSectors: 128, slotCount: 3, role: .slot(1), deviceNumber: 4, events: 39,
      resyncOffset: .max, size: 47104, dataOffset: 2048, dataSize: 47104,
      recoveryOffset: 16384, bitmapOffset: 0, badBlockOffset: 16, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid5-3-replacing-3", version: .v1_2, memberSectors: 49152,
      arrayID: "f1481dfc:5ac96956:2d208555:e66d9bd2",
      deviceID: "2970c414:c7260b19:89e98d9d:4aaa89b3",
      name: "golden:raid5-3-replacing", features: 18, level: 5, layout: 2,
      chunkSectors: 128, slotCount: 3, role: .slot(1), deviceNumber: 4, events: 21,
      resyncOffset: .max, size: 47104, dataOffset: 2048, dataSize: 47104,
      recoveryOffset: 16384, bitmapOffset: 0, badBlockOffset: 16, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid5-3-failed-0", version: .v1_2, memberSectors: 49152,
      arrayID: "8e9ffebf:a9ed80fb:06d37090:c1efe68d",
      deviceID: "109460b5:22a568de:d1d7cd0f:1270c740",
      name: "golden:raid5-3-failed", features: 0, level: 5, layout: 2,
      chunkSectors: 128, slotCount: 3, role: .slot(0), deviceNumber: 0, events: 23,
      resyncOffset: .max, size: 47104, dataOffset: 2048, dataSize: 47104,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 16, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid5-3-badblocks-1", version: .v1_2, memberSectors: 49152,
      arrayID: "e3f73031:c043133f:4057e36c:6c36bf0f",
      deviceID: "635645c4:5739974c:f8f684a8:f6d8175d",
      name: "golden:raid5-3-badblocks", features: 8, level: 5, layout: 2,
      chunkSectors: 128, slotCount: 3, role: .slot(1), deviceNumber: 1, events: 18,
      resyncOffset: .max, size: 47104, dataOffset: 2048, dataSize: 47104,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 16, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid5-3-bitmap-v1.0-0", version: .v1_0, memberSectors: 49152,
      arrayID: "9764801e:1d7ff6e8:568d5262:79fc5f2b",
      deviceID: "49db206d:e5ad17c1:24e9ab74:9e7ddaa0",
      name: "golden:raid5-3-bitmap-v1.0", features: 1, level: 5, layout: 2,
      chunkSectors: 128, slotCount: 3, role: .slot(0), deviceNumber: 0, events: 21,
      resyncOffset: .max, size: 49024, dataOffset: 0, dataSize: 49120,
      recoveryOffset: 0, bitmapOffset: -16, badBlockOffset: -8, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid5-3-ppl-0", version: .v1_2, memberSectors: 49152,
      arrayID: "3787a4b3:7012d6be:d6279fc1:f2998909",
      deviceID: "3fb0d390:355c61e2:0fd2f480:0d223190",
      name: "golden:raid5-3-ppl", features: 2048, level: 5, layout: 2,
      chunkSectors: 128, slotCount: 3, role: .slot(0), deviceNumber: 0, events: 21,
      resyncOffset: .max, size: 45056, dataOffset: 4096, dataSize: 45056,
      recoveryOffset: 0, bitmapOffset: 134217736, badBlockOffset: 2056, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid5-3-journal-unclean-0", version: .v1_2, memberSectors: 49152,
      arrayID: "78ff10ce:6e19081d:caa363bc:e9fdb4fd",
      deviceID: "b9b0c9b7:96e0ba3e:351e8c13:1f92af7a",
      name: "golden:raid5-3-journal-unclean", features: 512, level: 5, layout: 2,
      chunkSectors: 128, slotCount: 3, role: .slot(0), deviceNumber: 1, events: 42,
      resyncOffset: .max, size: 47104, dataOffset: 2048, dataSize: 47104,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 16, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid5-3-journal-unclean-3", version: .v1_2, memberSectors: 32768,
      arrayID: "78ff10ce:6e19081d:caa363bc:e9fdb4fd",
      deviceID: "d2bebbd8:aeb1a702:760db3ef:25a5c2e7",
      name: "golden:raid5-3-journal-unclean", features: 512, level: 5, layout: 2,
      chunkSectors: 128, slotCount: 3, role: .journal, deviceNumber: 0, events: 42,
      resyncOffset: .max, size: 47104, dataOffset: 2048, dataSize: 30720,
      recoveryOffset: 11816, bitmapOffset: 0, badBlockOffset: 16, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid5-4to3-reshape-1", version: .v1_2, memberSectors: 49152,
      arrayID: "d1cfeb23:85b16dcd:68e45a49:9579f0f2",
      deviceID: "5acd441b:8ffafe93:1c700d98:1400b3e8",
      name: "golden:raid5-4to3-reshape", features: 4, level: 5, layout: 2,
      chunkSectors: 128, slotCount: 3, role: .slot(1), deviceNumber: 1, events: 26,
      resyncOffset: .max, size: 47104, dataOffset: 2048, dataSize: 47104,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 16, deviceFlags: 0,
      reshape: MDReshape(
        newLevel: 5, positionSectors: 89856, deltaSlots: -1, newLayout: 2,
        newChunkSectors: 128, newOffsetSectors: 0)),
    GoldenSuperblock(
      fixture: "superblock-raid5to6-reshape-3", version: .v1_2, memberSectors: 49152,
      arrayID: "4366b346:d3347cf3:85a28525:24ed368b",
      deviceID: "b006f752:6dd3d6eb:9240ef23:e216bf4e",
      name: "golden:raid5to6-reshape", features: 70, level: 6, layout: 18,
      chunkSectors: 128, slotCount: 4, role: .slot(3), deviceNumber: 4, events: 23,
      resyncOffset: .max, size: 47104, dataOffset: 2048, dataSize: 47104,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 16, deviceFlags: 0,
      reshape: MDReshape(
        newLevel: 6, positionSectors: 0, deltaSlots: 0, newLayout: 2,
        newChunkSectors: 128, newOffsetSectors: -1024)),
    GoldenSuperblock(
      fixture: "superblock-raid10-n2-4to5-reshape-4", version: .v1_2, memberSectors: 49152,
      arrayID: "b2a80623:4584be2c:60818f10:288e6c9e",
      deviceID: "73684286:6d90d622:0a74d8a2:c5d2d4b8",
      name: "golden:raid10-n2-4to5-reshape", features: 68, level: 10, layout: 258,
      chunkSectors: 128, slotCount: 5, role: .slot(4), deviceNumber: 4, events: 23,
      resyncOffset: .max, size: 47104, dataOffset: 2048, dataSize: 47104,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 16, deviceFlags: 0,
      reshape: MDReshape(
        newLevel: 10, positionSectors: 640, deltaSlots: 1, newLayout: 258,
        newChunkSectors: 128, newOffsetSectors: -128)),
    GoldenSuperblock(
      fixture: "superblock-raid6-4-v0.90-1", version: .v0_90, memberSectors: 49152,
      arrayID: "d5a4a6b6:f8ea41be:c7ad30ec:0049739e", deviceID: nil,
      name: "", features: 0, level: 6, layout: 2,
      chunkSectors: 128, slotCount: 4, role: .slot(1), deviceNumber: 1, events: 21,
      resyncOffset: nil, size: 49024, dataOffset: 0, dataSize: nil,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 0, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid5-3-resync-part-0", version: .v1_2, memberSectors: 49152,
      arrayID: "c856a449:387f6d80:94543104:5f5e0a35",
      deviceID: "e3e07bd8:bf986797:faa43fb1:6fe9bf99",
      name: "golden:raid5-3-resync-part", features: 0, level: 5, layout: 2,
      chunkSectors: 128, slotCount: 3, role: .slot(0), deviceNumber: 0, events: 19,
      resyncOffset: 16384, size: 47104, dataOffset: 2048, dataSize: 47104,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 16, deviceFlags: 0),
    GoldenSuperblock(
      fixture: "superblock-raid6-6-c4-0", version: .v1_2, memberSectors: 49152,
      arrayID: "b1d9eccf:4292c36e:05228d56:0ccdf602",
      deviceID: "ff701242:cfccae4d:32cc33f7:9b2cc101",
      name: "golden:raid6-6-c4", features: 0, level: 6, layout: 2,
      chunkSectors: 8, slotCount: 6, role: .slot(0), deviceNumber: 0, events: 20,
      resyncOffset: .max, size: 47104, dataOffset: 2048, dataSize: 47104,
      recoveryOffset: 0, bitmapOffset: 0, badBlockOffset: 16, deviceFlags: 0),
  ]
}
