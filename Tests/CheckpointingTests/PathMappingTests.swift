import Testing

@testable import Checkpointing

@Suite struct PathMappingTests {
  @Test(arguments: [
    ("/srv/old", "/srv/new", "/srv/old", "/srv/new"),
    ("/srv/old", "/srv/new", "/srv/old/a/b", "/srv/new/a/b"),
    ("/srv/old/", "/srv/new", "/srv/old", "/srv/new"),
    ("/srv/old/", "/srv/new", "/srv/old/a", "/srv/new/a"),
    ("/srv/old", "/srv/new//", "/srv/old/a", "/srv/new/a"),
    ("/srv/old/", "/srv/new/", "/srv/old", "/srv/new"),
    ("/", "/srv", "/etc/passwd", "/srv/etc/passwd"),
    ("/", "/srv", "/", "/srv"),
    ("/srv", "/", "/srv/etc", "/etc"),
    ("/srv", "/", "/srv", "/"),
    // A letter and its accent are a name of their own.
    ("/srv/o", "/new", "/srv/o/\u{301}a", "/new/\u{301}a"),
  ]) func `leads what is in it elsewhere`(
    _ old: String, _ new: String, _ path: String, _ place: String
  ) {
    #expect(
      PathMapping(old: old, new: new).place(of: path).map { Array($0.utf8) } == Array(place.utf8))
  }

  @Test(arguments: ["/a=b=/c", "/a=b/=/c//", "/a=b=/c=/d"])
  func `is read with names that have an equals sign`(_ text: String) {
    let mapping = PathMapping(text)
    #expect(mapping?.place(of: "/a=b/f").map { String($0.prefix(2)) } == "/c")
  }

  @Test(arguments: ["", "=", "/", "/a", "/a=", "/a=b", "a=/b", "=/b"])
  func `is nothing without two absolute paths`(_ text: String) {
    #expect(PathMapping(text) == nil)
  }

  @Test(arguments: [
    ("/srv/old", "/srv/older"), ("/srv/old", "/srv"), ("/srv/old/", "/srv/old2/a"),
    ("/srv/o", "/srv/o\u{301}/a"),
    ("/srv/\u{e9}", "/srv/e\u{301}"),
  ]) func `leads nothing else elsewhere`(_ old: String, _ path: String) {
    #expect(PathMapping(old: old, new: "/new").place(of: path) == nil)
  }
}
