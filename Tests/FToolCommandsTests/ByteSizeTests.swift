import FToolCommands
import Testing

@Suite struct ByteSizeTests {
  private struct Known: Sendable {
    let count: UInt64
    let text: String
  }

  @Test(arguments: [
    Known(count: 0, text: "0 B"), Known(count: 1023, text: "1023 B"),
    Known(count: 1024, text: "1 KiB"), Known(count: 1536, text: "1.5 KiB"),
    Known(count: 4096, text: "4 KiB"), Known(count: 1 << 20, text: "1 MiB"),
    Known(count: (1 << 20) - 1, text: "1 MiB"), Known(count: 1_000_000_000, text: "953.7 MiB"),
    Known(count: 3 << 29, text: "1.5 GiB"), Known(count: 1 << 40, text: "1 TiB"),
    Known(count: 5 << 49, text: "2.5 PiB"), Known(count: .max, text: "16 EiB"),
  ])
  private func `reads well`(known: Known) {
    #expect(ByteSize(known.count).description == known.text)
  }

  @Test func `says the exact count where that is more`() {
    #expect(ByteSize(3 << 29).exactDescription == "1.5 GiB (1610612736 bytes)")
    #expect(ByteSize(512).exactDescription == "512 bytes")
  }
}
