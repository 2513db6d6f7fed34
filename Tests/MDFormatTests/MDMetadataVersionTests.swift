import MDFormat
import Testing

@Suite struct MDMetadataVersionTests {
  @Test func `puts superblocks where md puts them`() {
    #expect(MDMetadataVersion.v0_90.superblockSector(memberSectors: 49152) == 49024)
    #expect(MDMetadataVersion.v0_90.superblockSector(memberSectors: 49279) == 49024)
    #expect(MDMetadataVersion.v0_90.superblockSector(memberSectors: 255) == nil)
    #expect(MDMetadataVersion.v1_0.superblockSector(memberSectors: 49152) == 49136)
    #expect(MDMetadataVersion.v1_0.superblockSector(memberSectors: 49151) == 49128)
    #expect(MDMetadataVersion.v1_0.superblockSector(memberSectors: 23) == nil)
    #expect(MDMetadataVersion.v1_1.superblockSector(memberSectors: 49152) == 0)
    #expect(MDMetadataVersion.v1_2.superblockSector(memberSectors: 49152) == 8)
  }

  @Test(arguments: MDMetadataVersion.allCases) func `leaves room for the whole block`(
    version: MDMetadataVersion
  ) {
    for sectors in 0..<1000 {
      guard let sector = version.superblockSector(memberSectors: sectors) else { continue }
      #expect(sector >= 0 && sector % 8 == 0)
      #expect(sector + MDMetadataVersion.superblockSectors <= sectors)
    }
    for sectors in [-1, Int.min] {
      #expect(version.superblockSector(memberSectors: sectors) == nil)
    }
  }
}
