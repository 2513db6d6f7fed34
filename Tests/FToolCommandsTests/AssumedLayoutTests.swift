import Testing

@testable import FToolCommands

@Suite struct AssumedLayoutTests {
  @Test(arguments: [
    "level=5,chunk=64K,layout=left-symmetric,data-offset=1M,size=10G",
    "level=6,chunk=512K,layout=ddf-N-continue,data-offset=0",
    "level=6,chunk=4K,layout=left-symmetric-6,data-offset=136K,size=512K",
    "level=10,chunk=1M,layout=far=2,data-offset=2M,size=20M",
    "level=10,chunk=1M,layout=offset=2,data-offset=2M",
    "level=0,chunk=64K,layout=original,data-offset=1M:1M:2M,size=10M:11M:12M",
    "level=linear,data-offset=0", "level=1,data-offset=0,size=1048064",
    "level=4,chunk=16M,data-offset=128M",
  ]) func `says what it read`(text: String) throws {
    #expect(try AssumedLayout(parsing: text).description == text)
  }

  @Test func `has defaults`() throws {
    let layout = try AssumedLayout(parsing: "level=raid5")
    #expect(layout.levelText == "5" && layout.layout == 2)
    #expect(layout.chunkByteCount == 512 << 10 && layout.dataOffsets == [0])
    #expect(layout.memberByteCounts.isEmpty)
  }

  @Test(arguments: [
    "", "level", "level=", "level=7", "chunk=64K", "level=5,level=5", "level=5,chunk=x",
    "level=5,layout=near=2", "level=5,layout=left-symmetric-6", "level=10,layout=left-symmetric",
    "level=5,size=1000", "level=5,data-offset=1M:", "level=5,colour=red", "level=5,,chunk=4K",
  ]) func `refuses what it cannot mean`(text: String) {
    #expect(throws: InvalidValue.self) { try AssumedLayout(parsing: text) }
  }
}
