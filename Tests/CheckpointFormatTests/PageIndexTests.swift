import BinaryCodec
import CheckpointFormat
import FToolTestSupport
import LinuxSystem
import Testing

@Suite struct PageIndexTests {
  @Test(arguments: [4096, 16384, 65536])
  func `the same page is found again, and only the same`(pageByteCount: Int) {
    var random = SeededGenerator(seed: 1)
    let index = PageIndex(
      memoryByteCount: 1 << 20, pageByteCount: pageByteCount, using: &random)
    let page = random.bytes(pageByteCount)
    let first = PagePlace(space: 3, address: 0x1000)
    #expect(index.place(of: page.rawBytes, at: first) == nil)
    #expect(index.place(of: page.rawBytes, at: PagePlace(space: 4, address: 0)) == first)
    for place in stride(from: 0, to: pageByteCount, by: 37) {
      var other = page
      other[place] ^= UInt8(1 << (place % 8))
      #expect(index.place(of: other.rawBytes, at: PagePlace(space: 5, address: 0)) == nil)
    }
    #expect(index.place(of: page.rawBytes, at: PagePlace(space: 4, address: 0)) == first)
  }

  @Test func `words that are exchanged make another page`() {
    var random = SeededGenerator(seed: 2)
    let index = PageIndex(memoryByteCount: 1 << 20, pageByteCount: 4096, using: &random)
    let page = random.bytes(4096)
    #expect(index.place(of: page.rawBytes, at: PagePlace(space: 0, address: 0)) == nil)
    for (left, right) in [(0, 8), (0, 16), (8, 24), (16, 4080)] {
      var other = page
      for byte in 0..<8 { other.swapAt(left + byte, right + byte) }
      #expect(index.place(of: other.rawBytes, at: PagePlace(space: 0, address: 0)) == nil)
    }
  }

  @Test func `what is forgotten is only not found`() {
    var random = SeededGenerator(seed: 3)
    let index = PageIndex(memoryByteCount: 4096, pageByteCount: 4096, using: &random)
    let pages = (0..<1000).map { _ in random.bytes(4096) }
    for (number, page) in pages.enumerated() {
      let place = PagePlace(space: 1, address: UInt64(number) << 12)
      #expect(index.place(of: page.rawBytes, at: place) == nil)
    }
    var foundCount = 0
    for (number, page) in pages.enumerated().reversed() {
      let place = PagePlace(space: 2, address: 0)
      if let found = index.place(of: page.rawBytes, at: place), found.space == 1 {
        #expect(found == PagePlace(space: 1, address: UInt64(number) << 12))
        foundCount += 1
      }
    }
    #expect(foundCount > 32 && foundCount <= 128)
  }
}

extension PageIndex {
  fileprivate func place(of page: RawSpan, at place: PagePlace) -> PagePlace? {
    places(of: [(digest(of: page), place)])[0]
  }
}
