/// A number that follows from others, the same in every run.
package struct Mixer: Sendable {
  /// What has been added so far, mixed.
  package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  package init() {}

  /// Mixes these in, in order.
  package init(_ numbers: UInt64...) {
    for number in numbers { add(number) }
  }

  package mutating func add(_ number: UInt64) {
    var mixed = (value ^ number) &+ 0x9e37_79b9_7f4a_7c15
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    value = mixed ^ mixed >> 31
  }

  package mutating func add(_ text: String) {
    for byte in text.utf8 { add(UInt64(byte)) }
  }
}
