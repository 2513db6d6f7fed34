import Testing

@testable import LinuxSystem

@Suite struct ProcessorFeaturesTests {
  @Test func `what programs may rely on is told, and nothing else`() {
    let text = """
      processor\t: 0
      flags\t\t: fpu sse2 avx512_new hypervisor erms md_clear
      bugs\t\t: spectre_v1 sse4_1

      """
    #expect(ProcessorFeatures.told(in: Array(text.utf8)[...]) == ["sse2", "avx512_new", "erms"])
    #expect(ProcessorFeatures.here.contains("sse2"))
  }

  @Test(arguments: ["", "flags", "flags\t: sse2", "processor: 0\n\n", "\n\n\n"])
  func `a text that was cut off tells nothing wrong`(text: String) {
    #expect(ProcessorFeatures.told(in: Array(text.utf8)[...]) == [])
  }
}
