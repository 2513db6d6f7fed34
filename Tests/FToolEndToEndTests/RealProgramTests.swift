import FToolTestSupport
import Testing

/// Programs that nobody wrote for this are saved under load, killed and brought back, several rounds in a
/// row at random moments, and show by their own answers that nothing was lost.
@Suite(.serialized, .needs("cc", "bash"), .choosesNumbers) struct RealProgramTests {
  @Test(arguments: ScriptedTest.seeds())
  func `bash has its jobs, pipelines and traps`(seed: UInt64) throws {
    try ScriptedTest().play("bash", seed: seed)
  }

  @Test(.needs("perl"), arguments: ScriptedTest.seeds())
  func `perl has its sockets, children and signals`(seed: UInt64) throws {
    try ScriptedTest().play("perl", seed: seed)
  }

  @Test(.needs("python3"), arguments: ScriptedTest.seeds())
  func `Python has its threads, subprocesses and tasks`(seed: UInt64) throws {
    try ScriptedTest().play("python", seed: seed)
  }

  @Test(.needs("node"), arguments: ScriptedTest.seeds())
  func `a server in Node answers`(seed: UInt64) throws {
    try ScriptedTest().play("node", seed: seed)
  }

  @Test(.needs("bsh"), arguments: ScriptedTest.seeds())
  func `a JVM has its threads`(seed: UInt64) throws {
    try ScriptedTest().play("jvm", seed: seed)
  }

  @Test(.needs("redis-server", "redis-cli"), arguments: ScriptedTest.seeds())
  func `redis has every key, and the save that was under way`(seed: UInt64) throws {
    try ScriptedTest().play("redis", seed: seed)
  }

  @Test(.needs("nginx"), arguments: ScriptedTest.seeds())
  func `nginx has its workers, which answer`(seed: UInt64) throws {
    try ScriptedTest().play("nginx", seed: seed)
  }

  @Test(.needs("sqlite3"), arguments: ScriptedTest.seeds())
  func `sqlite has its transaction and its locks`(seed: UInt64) throws {
    try ScriptedTest().play("sqlite", seed: seed)
  }

  @Test(.needs("tmux", "vim"), arguments: ScriptedTest.seeds())
  func `tmux has its shell and its editor`(seed: UInt64) throws {
    try ScriptedTest().play("tmux", seed: seed)
  }

  @Test(.needs("make"), arguments: ScriptedTest.seeds())
  func `make builds each thing once`(seed: UInt64) throws {
    try ScriptedTest().play("make", seed: seed)
  }
}
