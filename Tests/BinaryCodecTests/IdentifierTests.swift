import BinaryCodec
import Testing

@Suite struct IdentifierTests {
  private let bytes: [UInt8] = [
    0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
  ]

  @Test func `is spelled as mdadm and as others spell it`() {
    let identifier = Identifier(bytes: bytes.rawBytes)
    #expect(identifier.description == "aabbccdd:eeff0011:22334455:66778899")
    #expect(identifier.dashed == "aabbccdd-eeff-0011-2233-445566778899")
    #expect(identifier.bytes == bytes)
  }

  @Test(arguments: [
    "aabbccdd:eeff0011:22334455:66778899", "AABBCCDD:EEFF0011:22334455:66778899",
    "aabbccdd-eeff-0011-2233-445566778899", "aabbccddeeff00112233445566778899",
  ]) func `understands each spelling`(text: String) {
    #expect(Identifier(text) == Identifier(bytes: bytes.rawBytes))
  }

  @Test(arguments: [
    "", "aabbccdd", "aabbccdd:eeff0011:22334455:6677889", "aabbccdd:eeff0011:22334455:667788990",
    "aabbccdd:eeff0011:22334455-66778899", "aabbccdd::eeff0011:22334455:66778899",
    "aabbccdd-eeff0011-22334455-66778899", "gabbccdd:eeff0011:22334455:66778899",
    "aabbccdd:eeff0011:22334455:66778899:", " aabbccddeeff00112233445566778899",
    "aabbccddeeff0011 2233445566778899", ":aabbccddeeff00112233445566778899",
  ]) func `refuses anything else`(text: String) {
    #expect(Identifier(text) == nil)
  }

  @Test(arguments: 0..<UInt64(50)) func `survives every way there and back`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let identifier = Identifier.random(using: &random)
    #expect(Identifier(identifier.description) == identifier)
    #expect(Identifier(identifier.dashed) == identifier)
    #expect(identifier.wordSwapped.wordSwapped == identifier)
    var block = [UInt8](repeating: 0, count: 20)
    block.withMutableRawBytes { identifier.store(in: &$0, at: 3) }
    #expect(Identifier(bytes: block.rawBytes, at: 3) == identifier)
  }

  @Test func `turns words round`() {
    let swapped = Identifier(bytes: bytes.rawBytes).wordSwapped
    #expect(swapped.description == "ddccbbaa:1100ffee:55443322:99887766")
  }

  @Test func `random ones differ and zero is zero`() {
    var random = SystemRandomNumberGenerator()
    #expect(Identifier.random(using: &random) != Identifier.random(using: &random))
    #expect(Identifier.zero.bytes == [UInt8](repeating: 0, count: 16))
  }
}
