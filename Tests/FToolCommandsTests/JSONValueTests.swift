import FToolCommands
import Testing

@Suite struct JSONValueTests {
  @Test func `keeps the order of fields`() {
    let value: JSONValue = ["z": 1, "a": [true, nil, "x"], "m": [:]]
    #expect(value.text == #"{"z":1,"a":[true,null,"x"],"m":{}}"#)
  }

  @Test func `writes whole numbers exactly`() {
    #expect(JSONValue.number(UInt64.max).text == "18446744073709551615")
    #expect(JSONValue.number(Int64.min).text == "-9223372036854775808")
    #expect(JSONValue.number(UInt8(7)) == 7)
    #expect(JSONValue.number(Int?.none) == .null)
  }

  @Test func `writes fractions, and null where there is no number`() {
    #expect(JSONValue.fraction(0.1).text == "0.1")
    #expect(JSONValue.fraction(.infinity).text == "null")
    #expect(JSONValue.fraction(.nan).text == "null")
  }

  @Test func `escapes what JSON demands`() {
    let text = "\"\\\n\r\t\u{0}\u{1F}\u{7F}é😀"
    #expect(
      JSONValue.string(text).text == #""\"\\\n\r\t\u0000\u001f\u007fé😀""#)
  }

  @Test func `takes fields in front and behind`() {
    let value: JSONValue = ["b": 2]
    #expect(value.prefixed(with: [.init("a", 1)]).text == #"{"a":1,"b":2}"#)
    #expect(value.appending([.init("c", 3)]).text == #"{"b":2,"c":3}"#)
  }
}
