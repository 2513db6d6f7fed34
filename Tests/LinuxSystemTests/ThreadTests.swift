import FToolTestSupport
import Testing

@testable import LinuxSystem

@Suite struct ThreadTests {
  @Test func `a monitor lets one at a time in`() {
    let counter = Monitor(0)
    runInParallel(workers: 4) { _ in
      for _ in 0..<10_000 { counter.withLock { $0 += 1 } }
    }
    #expect(counter.withLock { $0 } == 40_000)
  }

  @Test func `a monitor's waiters see what they waited for`() throws {
    let queue = Monitor<[Int]>([])
    let sum = Monitor(0)
    let consumer = try WorkerThread(name: "consumer") {
      while true {
        let item = queue.wait { $0.isEmpty ? nil : $0.removeFirst() }
        if item < 0 { return }
        sum.withLock { $0 += item }
      }
    }
    for item in 1...1000 { queue.update { $0.append(item) } }
    queue.withLock { $0.append(-1) }
    queue.signalAll()
    consumer.join()
    #expect(sum.withLock { $0 } == 500_500)
  }

  @Test func `a wait with a deadline ends`() {
    let monitor = Monitor(false)
    let start = Machine.monotonicSeconds()
    let result = monitor.wait(deadline: start + 0.05) { $0 ? 1 : nil }
    #expect(result == nil)
    #expect(Machine.monotonicSeconds() - start >= 0.049)
    #expect(monitor.wait(deadline: start - 5) { _ in 2 } == 2)
    #expect(monitor.wait(deadline: -1) { _ in Int?.none } == nil)
  }

  @Test func `a monitor passes on what its body throws`() {
    struct Refusal: Error {}
    let monitor = Monitor(1)
    #expect(throws: Refusal.self) { try monitor.withLock { _ throws(Refusal) in throw Refusal() } }
    #expect(monitor.withLock { $0 } == 1)  // and is free again
  }

  @Test func `entering twice ends the program`() async {
    await #expect(processExitsWith: .failure) {
      let monitor = Monitor(0)
      monitor.withLock { _ in monitor.withLock { _ in } }
    }
  }

  @Test func `work in parallel is done once each, the first by the caller`() {
    let caller = currentThread()
    let done = Monitor<[Int: Bool]>([:])
    runInParallel(workers: 5) { worker in
      let isCaller = currentThread() == caller
      done.withLock { $0[worker] = isCaller }
    }
    #expect(done.withLock { $0 } == [0: true, 1: false, 2: false, 3: false, 4: false])
    runInParallel(workers: 1) { #expect($0 == 0) }
  }

  @Test func `letting go of a thread waits for it`() throws {
    let done = Monitor(false)
    do {
      let thread = try WorkerThread(name: "a name longer than fifteen bytes") {
        Machine.sleep(seconds: 0.05)
        done.withLock { $0 = true }
      }
      _ = consume thread
    }
    #expect(done.withLock { $0 })
  }

  @Test func `a thread may hold the last reference to itself`() throws {
    final class Owner: Sendable {
      let thread = Monitor<WorkerThread?>(nil)
    }
    let finished = Monitor(false)
    do {
      let owner = Owner()
      let thread = try WorkerThread {
        Machine.sleep(seconds: 0.02)
        owner.thread.withLock { $0 = nil }
        finished.update { $0 = true }
      }
      owner.thread.withLock { $0 = thread }
    }
    #expect(finished.wait(deadline: Machine.monotonicSeconds() + 10) { $0 ? true : nil } == true)
  }
}

@Suite struct BufferTests {
  @Test(arguments: [0, 1, 7, 512, 4096, 65_535, 65_536, 1_000_001])
  func `a buffer is on a page, zero, and as long as asked`(byteCount: Int) {
    var buffer = AlignedBuffer(byteCount: byteCount)
    #expect(buffer.byteCount == byteCount)
    #expect(buffer.bytes.byteCount == byteCount)
    #expect(buffer.mutableBytes.byteCount == byteCount)
    #expect(buffer.words.count == byteCount / 8)
    #expect(buffer.mutableWords.count == byteCount / 8)
    buffer.bytes.withUnsafeBytes { #expect(UInt(bitPattern: $0.baseAddress) % 4096 == 0) }
    #expect(buffer.array.allSatisfy { $0 == 0 })
    var span = buffer.mutableBytes
    for offset in 0..<byteCount { span.storeBytes(of: 0xff, toByteOffset: offset, as: UInt8.self) }
    #expect(buffer.array.allSatisfy { $0 == 0xff })
    if byteCount >= 8 { #expect(buffer.words[0] == .max) }
    buffer.zero()
    #expect(buffer.array.allSatisfy { $0 == 0 })
  }

  @Test func `a pool lends each buffer to one, and again`() {
    let pool = BufferPool(byteCount: 100, limit: 2)
    var first = pool.take()
    let second = pool.take()
    if pool.takeIfAvailable() != nil { Issue.record("a third of two") }
    var span = first.mutableBytes
    span.storeBytes(of: 42, toByteOffset: 99, as: UInt8.self)
    #expect(second.bytes.unsafeLoad(fromByteOffset: 99, as: UInt8.self) == 0)
    pool.giveBack(first)
    let third = pool.take()
    #expect(third.bytes.unsafeLoad(fromByteOffset: 99, as: UInt8.self) == 42)  // as it was left
    let byteCount = third.byteCount
    #expect(byteCount == 100)
    let wordCount = third.words.count
    #expect(wordCount == 12)
  }

  @Test func `a pool makes others wait, and never lends more than its limit`() {
    let pool = BufferPool(byteCount: 4096, limit: 2)
    let inUse = Monitor((now: 0, most: 0))
    runInParallel(workers: 5) { _ in
      for _ in 0..<200 {
        let buffer = pool.take()
        inUse.withLock { count in
          count.now += 1
          count.most = max(count.most, count.now)
        }
        inUse.withLock { $0.now -= 1 }
        _ = consume buffer
      }
    }
    #expect(inUse.withLock { $0.most } <= 2)
    #expect(inUse.withLock { $0.now } == 0)
  }
}
