import Glibc
import SystemPackage

/// Repeats an interrupted call; on -1 says which call failed, on what, and why.
@discardableResult
package func systemCall<Value: FixedWidthInteger>(
  _ call: StaticString, on subject: @autoclosure () -> String, _ body: () -> Value
) throws(SystemCallError) -> Value {
  while true {
    let value = body()
    if value != -1 { return value }
    let errno = Errno(rawValue: Glibc.errno)  // read before anything else can run
    if errno != .interrupted {
      throw SystemCallError(call: call.description, subject: subject(), errno: errno)
    }
  }
}

/// Gives `body` the path as C has it, with the bytes that it stands for (`String.pathBytes`). A path with a NUL inside
/// would silently name another file.
@discardableResult
@safe
func withCPath<Result>(
  _ path: String, for call: StaticString,
  _ body: (UnsafePointer<CChar>) throws(SystemCallError) -> Result
) throws(SystemCallError) -> Result {
  if path.utf8.contains(0) {
    throw SystemCallError(call: call.description, subject: path, errno: .invalidArgument)
  }
  if path.hasEscapedBytes {
    let bytes = path.pathBytes.map { CChar(bitPattern: $0) } + [0]
    return try unsafe bytes.withUnsafeBufferPointer { bytes in
      do throws(SystemCallError) {
        return Swift.Result<Result, SystemCallError>.success(try unsafe body(bytes.baseAddress!))
      } catch {
        return .failure(error)
      }
    }.get()
  }
  // Through a Result, because withCString is not yet typed in what it throws.
  return try unsafe path.withCString { pointer in
    do throws(SystemCallError) {
      return Swift.Result<Result, SystemCallError>.success(try unsafe body(pointer))
    } catch {
      return .failure(error)
    }
  }.get()
}
