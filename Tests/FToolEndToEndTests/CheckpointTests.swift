import FToolTestSupport
import Glibc
import LinuxSystem
import Testing

/// Real programs that are saved, killed and brought back by the built program, as a script would do it.
@Suite(.serialized, .needs("perl")) struct CheckpointTests {
  /// Counts for two seconds and ends with status 5; with 7 when SIGTERM comes.
  private static let counter = [
    "-e",
    """
    open my $log, '>>', $ARGV[0]; $log->autoflush; $SIG{TERM} = sub { print $log "asked\\n"; exit 7 };
    for my $n (1..100) { print $log "$n\\n"; select undef, undef, undef, 0.02 } exit 5
    """,
  ]

  private static let numbers = (1...100).map { "\($0)\n" }.joined()

  /// Holds so many MiB that no codec makes smaller, for two seconds, and looks at them at the end.
  private static func holder(_ mebibytes: Int) -> [String] {
    [
      "-e",
      """
      open my $noise, '<', '/dev/urandom'; read $noise, my $held, \(mebibytes) << 20; close $noise;
      my $sum = unpack '%32N*', $held; open my $ready, '>', $ARGV[0]; close $ready;
      select undef, undef, undef, 0.05 for 1..40; exit((unpack '%32N*', $held) == $sum ? 5 : 6)
      """,
    ]
  }

  private func start(
    _ bench: borrowing Workbench, _ arguments: [String] = counter
  ) throws -> StartedProgram {
    let program = try StartedProgram(
      "perl", arguments + [bench.folder.path("log")], output: bench.folder.path("output"))
    for _ in 0..<500 where !Files.exists(bench.folder.path("log")) { Machine.sleep(seconds: 0.02) }
    Machine.sleep(seconds: 0.2)
    return program
  }

  private func log(_ bench: borrowing Workbench) throws -> String {
    String(decoding: try bench.contents("log"), as: UTF8.self)
  }

  /// Waits until a process that is no child has ended.
  private func waitForEnd(of process: ProcessID, seconds: Double = 10) -> Bool {
    for _ in 0..<Int(seconds * 100) {
      guard process.exists, let status = try? ProcessStatus(of: process) else { return true }
      if status.state == "Z" { return true }
      Machine.sleep(seconds: 0.01)
    }
    return false
  }

  // MARK: check

  @Test func `check says that a program can be saved, and it runs on`() throws {
    let bench = try Workbench()
    let program = try start(bench)
    let text = try bench.ftool("checkpoint check \(program.id)")
    #expect(text.output.hasPrefix("process \(program.id) can be saved\n"), text.remark)
    #expect(text.output.contains("\n  it would stand still for about "), text.remark)
    let json = try bench.ftool("checkpoint check \(program.id) --json").json
    #expect(json["type"] == .string("checkpoint-check") && json["schema"] == .number(1))
    #expect(json["can_be_saved"] == .bool(true) && json["obstacles"] == .array([]))
    #expect(try program.wait() == 5)
    #expect(try log(bench) == Self.numbers)
  }

  @Test func `check names what is in the way, and what to do`() throws {
    let bench = try Workbench()
    let program = try StartedProgram(
      "bash", ["-c", "exec 5> >(exec sleep 30); while :; do sleep 0.1; done"],
      output: bench.folder.path("output"))
    defer { try? program.killTree() }
    Machine.sleep(seconds: 0.3)
    let text = try bench.ftool("checkpoint check --only \(program.id)", ends: 1)
    #expect(
      text.output.hasPrefix("process \(program.id) can't be saved: 1 obstacle\n"), text.remark)
    #expect(text.output.contains("  process \(program.id): descriptor 5 (pipe:["), text.remark)
    #expect(text.output.contains("]): its other end is held by"), text.remark)
    #expect(text.output.contains("\n    to do: "), text.remark)
    let json = try bench.ftool("checkpoint check --only \(program.id) --json", ends: 1).json
    #expect(json["can_be_saved"] == .bool(false))
    #expect(json["obstacles"][0]["pid"] == .number(Double(program.id.number)))
    #expect(json["obstacles"][0]["place"].string?.hasPrefix("descriptor 5 (pipe:[") == true)
    #expect(json["obstacles"][0]["remedy"].string?.isEmpty == false)
    let save = try bench.ftool("checkpoint save --only \(program.id) -o a.ftc", ends: 1)
    #expect(
      save.error.contains("): its other end is held by") && save.error.contains("ftool: hint: "))
    #expect(!Files.exists(bench.folder.path("a.ftc")))
    try bench.ftool("checkpoint save -n \(program.id) -o a.ftc")
    #expect(!Files.exists(bench.folder.path("a.ftc")))
  }

  @Test(.enabled(if: canHaveNamespace, "needs the right to make a pid namespace, and unshare"))
  func `what is in other namespaces is refused`() throws {
    let bench = try Workbench()
    let program = try StartedProgram(
      "unshare", ["--pid", "--fork", "sleep", "30"], output: bench.folder.path("output"))
    defer { try? program.killTree() }
    Machine.sleep(seconds: 0.5)
    let run = try bench.ftool("checkpoint check \(program.id)", ends: 1)
    #expect(
      run.output.contains(": its pid namespace: it is another one than that of ftool"), run.remark)
    #expect(run.output.contains("nsenter"), run.remark)
  }

  // MARK: save

  @Test func `save lets the program run on`() throws {
    let bench = try Workbench()
    let program = try start(bench)
    let run = try bench.ftool("checkpoint save \(program.id) -o a.ftc --json")
    let json = try run.json
    #expect(json["type"] == .string("checkpoint-save") && json["file"] == .string("a.ftc"))
    #expect(json["processes"] == .number(1) && json["left"] == .string("running"), run.remark)
    let file = try bench.contents("a.ftc")
    #expect(json["file_bytes"] == .number(Double(file.count)))
    #expect(try Files.status(of: bench.folder.path("a.ftc")).permissions & 0o777 == 0o600)
    let names = try Files.list(bench.folder.path).filter { $0.contains("ftc") }
    #expect(names == ["a.ftc"], "\(names)")
    #expect(try program.wait() == 5)
    #expect(try log(bench) == Self.numbers)
  }

  @Test func `save leaves it stopped or dead where that is wanted`() throws {
    let bench = try Workbench()
    let program = try start(bench)
    try bench.ftool("checkpoint save \(program.id) -o a.ftc --leave stopped")
    #expect(try ProcessStatus(of: program.id).state == "T")
    let before = try log(bench)
    Machine.sleep(seconds: 0.2)
    #expect(try log(bench) == before)
    try program.id.send(signal: SIGCONT)
    Machine.sleep(seconds: 0.1)
    let quiet = try bench.ftool(
      "checkpoint save \(program.id) -f -o a.ftc --leave dead --compress none")
    #expect(quiet.output.hasPrefix("saved process \(program.id) to a.ftc: "), quiet.remark)
    #expect(try program.wait() == 128 + SIGKILL)
    let restored = try bench.ftool("checkpoint restore a.ftc", ends: 5)
    #expect(restored.output == "" && restored.error == "", restored.remark)
    #expect(try log(bench) == Self.numbers)
  }

  // MARK: What becomes of a tree

  @Test func `what was stopped twice in the same call goes on with it`() throws {
    let bench = try Workbench()
    let code = """
      import select, threading, time
      waits = [lambda: time.sleep(2), lambda: select.poll().poll(2000), lambda: threading.Event().wait(2)]
      threads = [threading.Thread(target=wait) for wait in waits]
      start = time.monotonic()
      for thread in threads: thread.start()
      for thread in threads: thread.join()
      print("awake", time.monotonic() - start >= 2)
      """
    let program = try StartedProgram("python3", ["-c", code], output: bench.folder.path("said"))
    defer { try? program.killTree() }
    Machine.sleep(seconds: 0.5)
    for signal: Int32 in [19, 18, 19, 18, 19] {  // SIGSTOP, SIGCONT
      try program.id.send(signal: signal)
      Machine.sleep(seconds: 0.1)
    }
    try bench.ftool("checkpoint save \(program.id) -o a.ftc")
    try bench.ftool("checkpoint save \(program.id) -f -o a.ftc --leave dead")
    _ = try program.wait()
    try bench.ftool("checkpoint restore --detach a.ftc")
    #expect(try ProcessStatus(of: program.id).state == "T")
    try program.id.send(signal: 18)
    #expect(try program.wait() == 0)
    #expect(try bench.shell("cat said").output == "awake True\n")
  }

  /// A job of a shell with children, one of which was stopped before; its output grows while it runs.
  private static let family = """
    sleep 1000 & stopped=$!; kill -STOP $stopped; echo $stopped > stopped
    while :; do sleep 0.02; echo tick; done | while read line; do echo "$line $((n++))"; done
    """

  private func startFamily(_ bench: borrowing Workbench) throws -> StartedProgram {
    let program = try StartedProgram(
      "bash", ["-c", "cd '\(bench.folder.path)'; \(Self.family)"],
      output: bench.folder.path("log"))
    for _ in 0..<1000 where try !log(bench).contains("tick 3\n") { Machine.sleep(seconds: 0.01) }
    return program
  }

  /// The states of a tree's processes; the one that was stopped before comes last.
  private func states(_ program: StartedProgram, _ bench: borrowing Workbench) throws -> String {
    let before = Int32(try bench.shell("cat stopped").output.dropLast()) ?? 0
    var tree = [program.id]
    var next = 0
    while next < tree.count {
      tree += (try? tree[next].children()) ?? []
      next += 1
    }
    // A shell may just start or wait for a `sleep`.
    let states = tree.filter { $0.number != before }.compactMap { try? ProcessStatus(of: $0).state }
      .filter { $0 != "Z" }.map { "RSD".contains($0) ? "runs" : String($0) }
    let last = try ProcessStatus(of: ProcessID(before)).state
    return Set(states).sorted().joined(separator: " ") + ", \(last)"
  }

  private func grows(_ bench: borrowing Workbench) throws -> Bool {
    let before = try log(bench).count
    for _ in 0..<500 where try log(bench).count == before { Machine.sleep(seconds: 0.01) }
    return try log(bench).count > before
  }

  @Test(arguments: ["false", "head -c 1000 > part; false", "cat > b.ftc; exit 3"])
  func `a command that fails with an image lets all of the program run on`(
    _ command: String
  ) throws {
    let bench = try Workbench()
    let program = try startFamily(bench)
    defer { try? program.killTree() }
    let run = try bench.shell(
      "ftool checkpoint save --leave dead --into '\(command)' \(program.id)")
    #expect(run.status == 74 && run.output.isEmpty, run.remark)
    let status = command.hasSuffix("3") ? 3 : 1
    #expect(
      run.error.contains(
        "the command '\(command)' ended with status \(status); process \(program.id) runs on"),
      run.remark)
    #expect(try states(program, bench) == "runs, T")
    #expect(try grows(bench))
  }

  @Test(.choosesNumbers)
  func `a command that ends well with an image ends all of the program, which goes on elsewhere`()
    throws
  {
    let bench = try Workbench()
    let program = try startFamily(bench)
    let before = try #require(Int32(try bench.shell("cat stopped").output.dropLast()))
    // The numbers are taken as long as the program is not ended: as on another machine, it comes back later.
    let run = try bench.shell(
      "ftool checkpoint save --leave dead --into 'cat > a.ftc && sleep 0.2' --json \(program.id)")
    let json = try run.json
    #expect(run.status == 0 && json["left"] == .string("dead"), run.remark)
    #expect(json["file"] == .null && json["stopped_pids"] == .array([]), run.remark)
    #expect(json["command"] == .string("cat > a.ftc && sleep 0.2"), run.remark)
    #expect(try program.wait() == 128 + SIGKILL)
    #expect(waitForEnd(of: ProcessID(before)))
    let restored = try bench.ftool("checkpoint restore --detach --stopped a.ftc")
    // What was stopped before does not go on with the others.
    let line = try #require(
      restored.output.split(separator: "'").first { $0.hasPrefix("kill -CONT ") }, restored.remark)
    #expect(line.hasSuffix(" \(program.id)") && !line.contains("\(before)"), restored.remark)
    #expect(try states(program, bench) == "T, T")
    _ = try bench.shell(String(line))
    #expect(try states(program, bench) == "runs, T")
    #expect(try grows(bench))
    _ = try bench.shell("kill -KILL -\(program.id)")
    #expect(waitForEnd(of: program.id))
  }

  @Test(.enabled(if: canHaveNamespace, "needs the right to make a pid namespace, and unshare"))
  func `the recipe of the manual moves a tree, or leaves it here`() throws {
    let bench = try Workbench()
    let program = try startFamily(bench)
    let tool = try BuiltTool.path
    // As on another machine, where the numbers are free.
    let line =
      "ftool checkpoint save --leave dead --into '\(tool) checkpoint restore --pid any --detach --pidfile pid -' "
      + "\(program.id)"
    let failed = try bench.shell(line.replacing("--pidfile pid", with: "--pidfile no/where"))
    #expect(failed.status == 74, failed.remark)
    #expect(failed.error.contains("ended with status 66; process"), failed.remark)
    #expect(try states(program, bench) == "runs, T")
    #expect(try grows(bench))
    let cut = try bench.shell(line.replacing("--into '", with: "--into 'head -c 9999 | "))
    #expect(cut.status == 74 && cut.error.contains("ended with status 65"), cut.remark)
    #expect(try states(program, bench) == "runs, T")
    #expect(try grows(bench))
    let moved = try bench.shell(line)
    #expect(moved.status == 0, moved.remark)
    #expect(try program.wait() == 128 + SIGKILL)
    let there = ProcessID(Int32(try bench.shell("cat pid").output.dropLast()) ?? 0)
    #expect(there != program.id && there.exists, moved.remark)
    #expect(try grows(bench))
    // The reaper of its namespace takes all of it along.
    try ProcessStatus(of: there).parent.send(signal: SIGKILL)
    #expect(waitForEnd(of: there))
  }

  @Test func `save says how what it left stopped goes on`() throws {
    let bench = try Workbench()
    let program = try startFamily(bench)
    defer { try? program.killTree() }
    let run = try bench.ftool("checkpoint save --leave stopped -o a.ftc \(program.id)")
    #expect(try states(program, bench) == "T, T")
    let line = try #require(
      run.output.split(separator: "'").first { $0.hasPrefix("kill -CONT ") }, run.remark)
    _ = try bench.shell(String(line))
    #expect(try states(program, bench) == "runs, T")
    #expect(try grows(bench))
    let json = try bench.ftool("checkpoint save --leave stopped -f -o a.ftc --json \(program.id)")
      .json
    let numbers = json["stopped_pids"].elements.compactMap(\.number).map { Int32($0) }
    #expect(numbers.count >= 3 && numbers.last == program.id.number)
    for number in numbers { try ProcessID(number).send(signal: SIGCONT) }
    #expect(try states(program, bench) == "runs, T")
    #expect(try grows(bench))
  }

  @Test func `a save into a command can be interrupted while that ends, and rehearsed`() throws {
    let bench = try Workbench()
    let program = try startFamily(bench)
    defer { try? program.killTree() }
    let run = try bench.shell(
      """
      "\(try BuiltTool.path)" checkpoint save --leave dead --into \
        'cat > part; echo > whole; exec sleep 1000' \(program.id) & job=$!
      until [ -e whole ]; do sleep 0.02; done
      kill -TERM $job; wait $job; echo $?
      """)
    #expect(run.output == "143\n", run.remark)
    #expect(try states(program, bench) == "runs, T")
    #expect(try grows(bench))
    let rehearsed = try bench.shell(
      "ftool checkpoint save -n --into 'echo > made' \(program.id); [ ! -e made ]")
    #expect(
      rehearsed.output == "process \(program.id) would be saved into 'echo > made'\n",
      rehearsed.remark)
    #expect(rehearsed.status == 0, rehearsed.remark)
    let both = try bench.ftool("checkpoint save --into cat -o a.ftc \(program.id)", ends: 64)
    #expect(both.error.contains("exclude each other"), both.remark)
  }

  /// Where numbers are free: in a namespace of their own, as on another machine.
  private static let canHaveNamespace: Bool = {
    let run = try? BuiltTool.run(program: "unshare", ["--pid", "--fork", "--mount-proc", "true"])
    return run?.status == 0
  }()

  @Test(.enabled(if: canHaveNamespace, "needs the right to make a pid namespace, and unshare"))
  func `save and restore work through a pipe, and nothing is left in between`() throws {
    let bench = try Workbench()
    let program = try start(bench)
    let line = "$ftool checkpoint save --leave dead -o - \(program.id)"
    var pipe = try ToolProcess(
      program: "/bin/bash",
      [
        "-c",
        "set -o pipefail; ftool=\"\(try BuiltTool.path)\"; \(line) | unshare --pid --fork --mount-proc $ftool checkpoint restore -",
      ], environment: bench.environment, directory: bench.folder.path)
    #expect(try program.wait() == 128 + SIGKILL)
    let outcome = try pipe.finish()
    #expect(outcome.status == 5, "\(outcome.errorText)")
    #expect(outcome.errorText.contains("saved process \(program.id) to standard output"))
    #expect(try log(bench) == Self.numbers)
  }

  @Test(arguments: [(SIGHUP, 129), (SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func `a save that is interrupted leaves no file, and the program runs on`(
    signal: Int32, status: Int32
  ) throws {
    let bench = try Workbench()
    let program = try start(bench, Self.holder(64))
    var save = try bench.start(
      "checkpoint save \(program.id) -o a.ftc --compress zlib:9 --threads 1")
    for _ in 0..<500 where !(try Files.list(bench.folder.path).contains { $0.contains("a.ftc") }) {
      Machine.sleep(seconds: 0.01)
    }
    Machine.sleep(seconds: 0.2)
    save.signal(signal)
    let outcome = try save.finish()
    #expect(outcome.status == status, "\(outcome.errorText)")
    #expect(outcome.errorText.contains("interrupted by signal \(signal)"))
    #expect(outcome.errorText.contains("process \(program.id) runs on, and no file was kept"))
    #expect(try Files.list(bench.folder.path).filter { $0.contains("ftc") } == [])
    #expect(try program.wait() == 5)
  }

  @Test(arguments: ["running", "dead"])
  func `a file that comes to be there during a save stays, and the program runs on`(
    leave: String
  ) throws {
    let bench = try Workbench()
    let program = try start(bench, Self.holder(64))
    var save = try bench.start(
      "checkpoint save \(program.id) -o a.ftc --leave \(leave) --compress zlib:9 --threads 1")
    for _ in 0..<500 where !(try Files.list(bench.folder.path).contains { $0.contains("a.ftc") }) {
      Machine.sleep(seconds: 0.01)
    }
    try bench.folder.file("a.ftc", [1, 2, 3])
    let outcome = try save.finish()
    #expect(outcome.status == 73, "\(outcome.errorText)")
    #expect(outcome.errorText.contains("a.ftc is there already"), "\(outcome.errorText)")
    #expect(try bench.contents("a.ftc") == [1, 2, 3])
    #expect(try Files.list(bench.folder.path).filter { $0.contains("ftc") } == ["a.ftc"])
    #expect(try program.wait() == 5)
  }

  @Test(
    .enabled(if: SomebodyElse.isPossible, "needs root, setpriv, and a build that others may read"))
  func `a folder that may not be written to is told before anything is done`() throws {
    let bench = try Workbench()
    try Files.setPermissions(bench.folder.path, 0o755)
    let tool = "\(SomebodyElse.command) \"\(try BuiltTool.path)\""
    for option in ["-n", ""] {
      let run = try bench.shell(
        "sleep 9 > /dev/null 2>&1 & \(tool) checkpoint save $! \(option) -o '\(bench.folder.path)/a.ftc'"
      )
      #expect(run.status == 77, run.remark)
      #expect(run.error.contains("a.ftc may not be made in its folder"), run.remark)
    }
  }

  @Test func `a FIFO that comes to be there during a save stays, also with force`() throws {
    let bench = try Workbench()
    let program = try start(bench, Self.holder(64))
    var save = try bench.start(
      "checkpoint save \(program.id) -o a.ftc --force --compress zlib:9 --threads 1")
    for _ in 0..<500 where !(try Files.list(bench.folder.path).contains { $0.contains("a.ftc") }) {
      Machine.sleep(seconds: 0.01)
    }
    _ = try bench.shell("mkfifo a.ftc")
    let outcome = try save.finish()
    #expect(outcome.status == 73, "\(outcome.errorText)")
    #expect(try Files.list(bench.folder.path).filter { $0.contains("ftc") } == ["a.ftc"])
    #expect(try Files.kind(of: bench.folder.path("a.ftc")) == .pipe)
    #expect(try program.wait() == 5)
  }

  @Test func `a link that leads nowhere is replaced only with force`() throws {
    let bench = try Workbench()
    let program = try start(bench)
    _ = try bench.shell("ln -s nowhere a.ftc")
    for rehearsal in ["", " -n"] {
      let run = try bench.ftool("checkpoint save \(program.id) -o a.ftc\(rehearsal)", ends: 73)
      #expect(run.error.contains("a.ftc is there already"), run.remark)
    }
    #expect(try Files.linkTarget(bench.folder.path("a.ftc")) == "nowhere")
    try bench.ftool("checkpoint save \(program.id) -f -o a.ftc")
    #expect(!Files.exists(bench.folder.path("nowhere")))
    try bench.ftool("checkpoint verify a.ftc")
    try program.kill()
  }

  @Test(arguments: ["077", "0277", "0777"])
  func `an image can be read and written by its owner, whatever the umask`(mask: String) throws {
    let bench = try Workbench()
    let program = try start(bench)
    let run = try bench.shell("umask \(mask); ftool checkpoint save \(program.id) -o a.ftc")
    #expect(run.status == 0, run.remark)
    #expect(try Files.status(of: bench.folder.path("a.ftc")).permissions & 0o777 == 0o600)
    try program.kill()
  }

  @Test func `who saves what is being saved is told to wait`() throws {
    let bench = try Workbench()
    let program = try start(bench, Self.holder(64))
    var first = try bench.start(
      "checkpoint save \(program.id) -o a.ftc --leave stopped --compress zlib:9 --threads 1")
    for _ in 0..<500 where !(try Files.list(bench.folder.path).contains { $0.contains("a.ftc") }) {
      Machine.sleep(seconds: 0.01)
    }
    Machine.sleep(seconds: 0.2)
    let second = try bench.ftool("checkpoint save \(program.id) -o b.ftc", ends: 75)
    #expect(second.error.contains(" is traced by process \(first.processID)\n"), second.remark)
    #expect(second.error.contains("an ftool at work on it: try again"), second.remark)
    #expect(try first.finish().status == 0)
    try program.kill()
  }

  @Test func `a full disk leaves no file, and the program runs on`() throws {
    let bench = try Workbench()
    let program = try start(bench, Self.holder(16))
    let run = try bench.shell(
      "ulimit -f 4096; ftool checkpoint save \(program.id) -o a.ftc --json; echo \" $?\"")
    #expect(run.output.hasSuffix(" 74\n"), run.remark)
    #expect(run.output.contains("\"code\":74"), run.remark)
    #expect(try Files.list(bench.folder.path).filter { $0.contains("ftc") } == [])
    #expect(try program.wait() == 5)
  }

  @Test func `progress of a large program is told`() throws {
    let bench = try Workbench()
    let program = try start(bench, Self.holder(40))
    let run = try bench.ftool("checkpoint save \(program.id) -o a.ftc --progress json")
    let objects = try run.error.split(separator: "\n").map { try ParsedJSON(String($0)) }
    #expect(
      objects.last?["type"] == .string("progress") && objects.last?["task"] == .string("save"))
    #expect(objects.last?["done_bytes"] == objects.last?["total_bytes"])
    #expect((objects.last?["total_bytes"].number ?? 0) > Double(40 << 20))
    let bar = try bench.ftool("checkpoint verify a.ftc --progress bar")
    #expect(bar.error.contains("[####") && bar.error.contains("verify"), bar.remark)
    #expect(try bench.ftool("checkpoint verify a.ftc").error == "")
    try program.kill()
  }

  // MARK: restore

  @Test(.choosesNumbers)
  func `in front, signals are passed on and the program's end is the command's`() throws {
    let bench = try Workbench()
    let program = try start(bench)
    try bench.ftool("checkpoint save \(program.id) -o a.ftc")
    try program.kill()
    for (signal, status) in [(SIGTERM, 7), (SIGHUP, 128 + SIGHUP)] {
      let before = try log(bench)
      var restore = try bench.start("checkpoint restore a.ftc --json")
      for _ in 0..<3000 where try log(bench) == before { Machine.sleep(seconds: 0.01) }
      restore.signal(signal)
      let outcome = try restore.finish()
      #expect(outcome.status == status, "\(outcome.errorText)")
      let json = try ParsedJSON(String(outcome.errorText.split(separator: "\n").last ?? ""))
      #expect(json["type"] == .string("checkpoint-restore"))
      #expect(json["pid"] == .number(Double(program.id.number)))
      #expect(json["exit_status"] == (status == 7 ? .number(7) : .null))
      #expect(json["signal"] == (status == 7 ? .null : .number(Double(signal))))
    }
    #expect(try log(bench).contains("asked\n"))
  }

  @Test(.choosesNumbers)
  func `a program runs on when who stands in front of it is killed`() throws {
    let bench = try Workbench()
    let program = try start(bench)
    try bench.ftool("checkpoint save \(program.id) -o a.ftc")
    try program.kill()
    let before = try log(bench)
    var restore = try bench.start("checkpoint restore a.ftc")
    for _ in 0..<3000 where try log(bench) == before { Machine.sleep(seconds: 0.01) }
    restore.signal(SIGKILL)
    _ = try restore.finish()
    #expect(program.id.exists)
    #expect(waitForEnd(of: program.id))
    #expect(try log(bench).hasSuffix("\n100\n"))
  }

  @Test(.choosesNumbers)
  func `detached, with its number in a file, its output in another and its files elsewhere`()
    throws
  {
    let bench = try Workbench()
    let line =
      "perl -e '$|=1; open my $f, \">>\", shift; for (1..100) { print \"$_\\n\"; print $f \"$_\\n\"; "
      + "select undef, undef, undef, 0.02 } exit 5' \(bench.folder.path)/old/log"
    let run = try bench.shell(
      """
      set -e
      mkdir old
      for n in $(ls /proc/self/fd); do [ $n -lt 3 ] || eval "exec $n>&-"; done
      \(line) > >(cat > first) < /dev/null 2> /dev/null & pid=$!
      sleep 0.5
      ftool checkpoint save --leave dead -o a.ftc $pid
      wait $pid || [ $? = 137 ]
      mv old new
      ftool checkpoint restore a.ftc --map old=new && exit 1 || [ $? = 64 ]
      ftool checkpoint restore a.ftc --detach && exit 1 || [ $? = 66 ]
      ftool checkpoint restore a.ftc --detach --pidfile no/where --map $PWD/old=$PWD/new && exit 1 || [ $? = 66 ]
      kill -0 $pid 2> /dev/null && exit 1
      ftool checkpoint restore a.ftc --detach --pidfile pid --stdio file:second --map $PWD/old/=$PWD/new/
      [ $(cat pid) = $pid ]
      while kill -0 $pid 2> /dev/null && ! grep -q Z /proc/$pid/wchan 2> /dev/null &&
        [ "$(sed 's/.*) //; s/ .*//' /proc/$pid/stat)" != Z ]; do sleep 0.1; done
      cat first second | sort -n | uniq | wc -l
      wc -l < new/log
      """)
    #expect(run.status == 0 && run.output.hasSuffix("\n100\n100\n"), run.remark)
  }

  @Test(.choosesNumbers) func `a job of a shell comes back detached, with a session of its own`()
    throws
  {
    let bench = try Workbench()
    let run = try bench.shell(
      """
      set -e
      for n in $(ls /proc/self/fd); do [ $n -lt 3 ] || eval "exec $n>&-"; done
      set -m
      perl -e 'select undef, undef, undef, 0.05 for 1..1000' < /dev/null > /dev/null 2>&1 & pid=$!
      set +m
      ftool checkpoint save --leave dead -o a.ftc $pid
      wait $pid || [ $? = 137 ]
      ftool checkpoint restore --detach a.ftc
      [ "$(sed 's/.*) //' /proc/$pid/stat | cut -d ' ' -f 3,4)" = "$pid $pid" ]
      kill $pid
      """)
    #expect(run.status == 0, run.remark)
  }

  @Test(.choosesNumbers, arguments: [SIGHUP, SIGTERM])
  func `a restore that is interrupted leaves nothing`(signal: Int32) throws {
    let bench = try Workbench()
    let program = try start(bench, Self.holder(16))
    try bench.ftool("checkpoint save \(program.id) -o a.ftc --compress none --leave dead")
    _ = try program.wait()
    let run = try bench.shell(
      """
      (head -c 9000000 a.ftc; sleep 3) |
        (echo $BASHPID > number; exec "\(try BuiltTool.path)" checkpoint restore --detach -) & job=$!
      for ((i = 0; i < 900; i++)); do kill -0 \(program.id) 2> /dev/null && break; sleep 0.01; done
      kill -\(signal) $(cat number); wait $job; echo "ended with $?"
      """)
    #expect(
      run.output == "ended with \(128 + signal)\n"
        && run.error.contains("nothing of the program is left"),
      run.remark)
    #expect(!program.id.exists)
    try bench.ftool("checkpoint restore a.ftc", ends: 5)
  }

  @Test(.choosesNumbers)
  func `stopped, it runs when it is told to`() throws {
    let bench = try Workbench()
    let program = try start(bench)
    try bench.ftool("checkpoint save \(program.id) -o a.ftc")
    try program.kill()
    let json = try bench.ftool("checkpoint restore a.ftc --detach --stopped --json").json
    #expect(json["stopped"] == .bool(true) && json["processes"] == .number(1))
    #expect(try ProcessStatus(of: program.id).state == "T")
    let before = try log(bench)
    Machine.sleep(seconds: 0.2)
    #expect(try log(bench) == before)
    // A number that is taken is not given twice.
    let taken = try bench.ftool("checkpoint restore a.ftc --detach", ends: 75, timeoutSeconds: 20)
    #expect(
      taken.error.contains("the number \(program.id) belongs to another process"), taken.remark)
    try program.id.send(signal: SIGCONT)
    #expect(waitForEnd(of: program.id))
    #expect(try log(bench).hasSuffix("100\n"))
  }

  @Test(.choosesNumbers) func `a restore in front is saved with its program, and comes back`()
    throws
  {
    let bench = try Workbench()
    let run = try bench.shell(
      """
      set -e
      for n in $(ls /proc/self/fd); do [ $n -lt 3 ] || eval "exec $n>&-"; done
      setsid bash -c 'for i in {1..60}; do echo $i; sleep 0.05; done; exit 9' < /dev/null > log 2>&1 & pid=$!
      sleep 0.3
      ftool checkpoint save -q $pid -o a.ftc --leave dead > /dev/null; wait $pid || true
      setsid "\(try BuiltTool.path)" checkpoint restore a.ftc < /dev/null > said 2>&1 & front=$!
      until [ -e /proc/$pid ]; do sleep 0.02; done; sleep 0.3
      ftool checkpoint save -q $front -o b.ftc --leave dead > /dev/null; wait $front || true
      ! [ -e /proc/$pid ]
      ftool checkpoint restore b.ftc || echo "ended with $?"
      cat log
      """)
    #expect(run.status == 0, run.remark)
    #expect(run.output == "ended with 9\n" + (1...60).map { "\($0)\n" }.joined(), run.remark)
  }

  /// They have its descriptors, and came to be while what it was is still being written.
  @Test func `children that a program makes while its copy is written are its own`() throws {
    let bench = try Workbench()
    let program = try StartedProgram(
      "perl",
      [
        "-e",
        """
        $^F = 20; pipe my $out, my $in; my $memory = 'x' x (96 << 20);
        if (!fork) { exec 'sh', '-c', 'while :; do sleep 0.02; done' } sleep 1000
        """,
      ], output: bench.folder.path("output"))
    Machine.sleep(seconds: 0.6)
    for _ in 0..<5 { try bench.ftool("checkpoint save \(program.id) -o a.ftc --force") }
    try program.killTree()
  }

  @Test(.choosesNumbers)
  func `a number is written over nothing but a file, and never over the image`() throws {
    let bench = try Workbench()
    let program = try start(bench)
    try bench.ftool("checkpoint save \(program.id) -o a.ftc --leave dead")
    _ = try program.wait()
    _ = try bench.shell("mkfifo fifo; mkdir folder; ln -s nowhere link")
    for (place, status, words) in [
      ("fifo", Int32(73), "not a file"), ("folder", 73, "not a file"), ("link", 73, "not a file"),
      ("a.ftc", 73, "the image itself"), ("gone/pid", 66, "there is no folder"),
      ("-", 64, "no file"),
    ] {
      let run = try bench.ftool(
        "checkpoint restore a.ftc --detach --pidfile \(place)", ends: status)
      #expect(run.error.contains(words), run.remark)
    }
    #expect(!program.id.exists)
    try bench.ftool("checkpoint verify a.ftc")
  }

  @Test(.choosesNumbers) func `a death signal that ftool's own end would send is not set`() throws {
    let bench = try Workbench()
    let program = try StartedProgram(
      "perl", ["-e", "syscall(157, 1, 9, 0, 0, 0) and exit 1; sleep 1000"],
      output: bench.folder.path("output"))
    Machine.sleep(seconds: 0.3)
    try bench.ftool("checkpoint save \(program.id) -o a.ftc --leave dead")
    _ = try program.wait()
    let run = try bench.ftool("checkpoint restore a.ftc --detach")
    #expect(run.error.contains("PR_SET_PDEATHSIG: it is not set"), run.remark)
    Machine.sleep(seconds: 0.2)
    #expect(try ProcessStatus(of: program.id).state == "S")
    try program.kill()
  }

  @Test func `a result that can't be written is told as the error's hint`() throws {
    let bench = try Workbench()
    let program = try start(bench)
    let run = try bench.shell(
      "'\(try BuiltTool.path)' checkpoint save \(program.id) -o a.ftc > /dev/full || echo \"ended with $?\""
    )
    #expect(
      run.output == "ended with 74\n" && run.error.contains("cannot write the result")
        && run.error.contains("all is done but that, and it was: saved process \(program.id)"),
      run.remark)
    try bench.ftool("checkpoint verify a.ftc")
    try program.kill()
  }

  /// As `trap '' CHLD` does, which commands inherit: nobody can wait for their children then.
  @Test(arguments: ["same", "any"])
  func `a caller that ignores the end of children`(_ pids: String) throws {
    let bench = try Workbench()
    let program = try StartedProgram(
      "perl",
      [
        "-e", "select undef, undef, undef, 0.02 until -e \"$ARGV[0]/go\"; exit 5",
        bench.folder.path,
      ],
      output: bench.folder.path("output"))
    let saved = try bench.shell(
      "trap '' CHLD; ftool checkpoint save --leave dead --into 'cat > a.ftc' \(program.id) && touch go"
    )
    #expect(saved.status == 0, saved.remark)
    _ = try program.wait()
    let run = try bench.shell("trap '' CHLD; ftool checkpoint restore --pid \(pids) a.ftc")
    #expect(run.status == 5, run.remark)
  }

  /// A traced process gets signals that it ignores, and they end calls.
  @Test(.needs("cc")) func `signals that nobody wants end no call`() throws {
    let bench = try Workbench()
    let program = try CompiledProgram("deaf", in: bench.folder, test: #filePath).start(
      [], output: bench.folder.path("said"))
    while try bench.folder.text("said").isEmpty { Machine.sleep(seconds: 0.01) }
    let id = program.id
    let sender = try StartedProgram(
      "perl",
      [
        "-e",
        "for (;;) { kill $_, $ARGV[0] for 'CHLD', 'WINCH', 'URG'; select undef, undef, undef, 0.0003 }",
        "\(id)",
      ], output: bench.folder.path("sender"))
    for verb in ["check \(id)", "save \(id) -o a.ftc --force", "save \(id) -o a.ftc --force"] {
      try bench.ftool("checkpoint \(verb)")
    }
    try sender.kill()
    try program.id.send(signal: SIGTERM)
    let status = try program.wait()
    #expect(try status == 0 && bench.folder.text("said") == "ready\n")
  }

  /// By the tool itself: in a process that has other things to do, another thread's fork holds the end of a pipe for a
  /// moment, and signals begin when it is closed.
  @Test(.needs("cc"), .choosesNumbers)
  func `nobody has what is the tool's own`() throws {
    let bench = try Workbench()
    let program = try CompiledProgram("untouched", in: bench.folder, test: #filePath).start(
      [bench.folder.path("work")], output: bench.folder.path("output"))
    Machine.sleep(seconds: 0.3)
    for stdio in ["--detach --stdio file:said", ""] {
      try bench.ftool("checkpoint save \(program.id) -o seen.ftc --force --yes")
      Machine.sleep(seconds: 0.05)
      try bench.ftool("checkpoint save \(program.id) -o a.ftc --leave dead --force --yes")
      _ = try program.wait()
      try bench.ftool("checkpoint restore a.ftc \(stdio) --force --yes")
    }
  }

  @Test func `a whole tree goes on`() throws {
    let bench = try Workbench()
    let program = try StartedProgram(
      "bash",
      [
        "-c",
        "(for i in {1..120}; do echo $i; sleep 0.02; done) | (s=0; while read n; do s=$((s+n)); done; [ $s = 7260 ]) || exit 3; exit 9",
      ], output: bench.folder.path("output"))
    Machine.sleep(seconds: 0.4)
    let save = try bench.ftool("checkpoint save \(program.id) -o a.ftc --json").json
    #expect((save["processes"].number ?? 0) >= 3)
    try program.killTree()
    try bench.ftool("checkpoint restore a.ftc", ends: 9)
  }

  @Test(.needs("script"))
  func `in front, a program with a group of its own has the terminal`() throws {
    let bench = try Workbench()
    let run = try bench.shell(
      """
      for n in $(ls /proc/self/fd); do [ $n -lt 3 ] || eval "exec $n>&-"; done
      await() { for ((i = 0; i < 3000; i++)); do grep -qs "$2" $1 && break; sleep 0.01; done; }
      cat > asks.pl << 'END'
      $| = 1; $SIG{INT} = sub { print "asked to end\\n"; exit 11 };
      print "ready\\n"; while (my $line = <STDIN>) { print "got $line" }
      END
      cat > save.sh << END
      set -m
      perl asks.pl & pid=\\$!
      $(declare -f await)
      await first ready
      "\(try BuiltTool.path)" checkpoint save --leave dead -o a.ftc \\$pid
      END
      await saved yes | script -qec "bash save.sh; echo yes > saved" /dev/null > first
      (echo hello; await second 'got hello'; printf '\\003'; await second 'asked to end') |
        script -qec "\(try BuiltTool.path) checkpoint restore a.ftc" /dev/null > second
      ended=$?; cat first second; echo "ended with $ended"
      """)
    #expect(run.output.contains("got hello"), run.remark)
    #expect(run.output.contains("asked to end"), run.remark)
    #expect(run.output.hasSuffix("ended with 11\n"), run.remark)
  }

  /// Says things in an interactive shell as a person does, and waits for what they lead to.
  private static let shell = #"""
    import os, pty, re, select, subprocess, sys, time
    tool, options = sys.argv[1:]
    shell, terminal = pty.fork()
    if shell == 0:
        os.closerange(3, 1000)
        os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
    def say(text, wanted):
        time.sleep(0.2)
        os.write(terminal, text.encode())
        got, end = "", time.monotonic() + 10
        while not re.search(wanted, got):
            if not select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
                sys.exit(f"after {text!r} there was no {wanted!r} in {got!r}")
            got += os.read(terminal, 4096).decode()
        return re.search(wanted, got)[1]
    say("stty -echo; echo quiet\n", r"quiet\r\n(.*)")

    """#

  private static let person =
    shell + #"""
      code = '$| = 1; print "I am $$\\n"; while (<STDIN>) { print "got $_" } print "over\\n"; exit 9'
      program = say(f"perl -e '{code}'\n", r"I am (\d+)\r")
      restore = f"{tool} checkpoint restore {options} a.ftc"
      # One that is still there has the numbers, for which the other needs a namespace.
      leave = "stopped" if options == "--pid any" else "dead"
      save = f"{tool} checkpoint save --leave {leave} -o a.ftc {program}"
      subprocess.run(save.split(), check=True, stdout=subprocess.DEVNULL)
      stopped = r"\](\+) +Stopped"
      say("disown; echo gone\n", r"(gone)\r")
      for start in "one by one", "behind":
          if start == "behind":
              say(restore + " &\n", r"\] (\d+)")
              time.sleep(1)
          else:
              say(restore + "\n", r"(.*)")
              say("one\n", "got (one)")
              say("\x1a", stopped)
              say("bg\n", r"(&)")
              time.sleep(0.5)
          say("jobs\n", stopped)
          say("fg\n", "checkpoint (restore)")
          say("two\n", "got (two)")
          say("\x04", "(over)")
          say("echo it was $?\n", "it was (9)")
      if leave == "stopped": os.kill(int(program), 9)
      """#

  @Test(.needs("python3"), .choosesNumbers, arguments: ["--pid same", "--pid any"])
  func `a program has the terminal when it comes to the front, and stops if it reads behind`(
    _ options: String
  ) throws {
    let bench = try Workbench()
    try bench.folder.file("person.py", Array(Self.person.utf8))
    let run = try bench.shell("python3 person.py '\(try BuiltTool.path)' '\(options)'")
    #expect(run.status == 0, run.remark)
  }

  /// The same in front, but with the terminal elsewhere than at standard input, or another program beside it.
  private static let otherPerson =
    shell + #"""
      code = {
          "pager": r'$| = 1; print "I am $$\n"; select undef, undef, undef, 0.1 while !-e "go"; print "line $_\n" for 1 .. 99',
          "null": r'open my $t, "+<", "/dev/tty"; $| = 1; print "I am $$\n"; while (<$t>) { print "got $_" } print "over\n"',
          "stop": r'$| = 1; print "I am $$\n"; while (<STDIN>) { print "got $_" } print "over\n"',
      }[options]
      program = say(f"perl -e '{code}'" + (" < /dev/null" if options == "null" else "") + "\n", r"I am (\d+)\r")
      save = f"{tool} checkpoint save --leave dead -o a.ftc {program}"
      subprocess.run(save.split(), check=True, stdout=subprocess.DEVNULL)
      say("\n", "(Killed)")
      restore = f"{tool} checkpoint restore a.ftc"
      if options == "pager":
          asks = 'open my $t, "<", "/dev/tty"; print "asked: ", scalar <$t>; print "first: ", scalar <STDIN>; 1 while <STDIN>'
          say(f"{restore} | perl -e '$| = 1; {asks}'\n", "(.*)")
          time.sleep(1)
          say("more\n", "asked: (more)")
          open("go", "w").close()
          say("", "first: (line 1)\r")
      elif options == "null":
          say(restore + " < /dev/null\n", "(.*)")
          say("one\n", "got (one)")
          say("\x04", "(over)")
      else:
          say(restore + "\n", "(.*)")
          say("one\n", "got (one)")
          os.kill(int(program), 19)
          say("", r"\](\+) +Stopped")
          say("fg\n", "checkpoint (restore)")
          say("two\n", "got (two)")
          say("\x04", "(over)")
      say("echo it was $?\n", "it was (0)")
      """#

  @Test(.needs("python3"), .choosesNumbers, arguments: ["pager", "null", "stop"])
  func `a program in front has the terminal when it wants it, and its job stops with it`(
    _ what: String
  ) throws {
    let bench = try Workbench()
    try bench.folder.file("person.py", Array(Self.otherPerson.utf8))
    let run = try bench.shell("python3 person.py '\(try BuiltTool.path)' '\(what)'")
    #expect(run.status == 0, run.remark)
  }

  @Test(.choosesNumbers) func `nohup means the program, too`() throws {
    let bench = try Workbench()
    let program = try start(bench)
    try bench.ftool("checkpoint save \(program.id) -o a.ftc")
    try program.kill()
    let before = try log(bench)
    let run = try bench.shell(
      """
      nohup "\(try BuiltTool.path)" checkpoint restore a.ftc > out 2>&1 & pid=$!
      for i in {1..3000}; do [ "$(wc -l < log)" -gt \(before.split(separator: "\n").count) ] && break; sleep 0.01; done
      kill -HUP $pid; sleep 0.5; kill -TERM $pid; wait $pid; echo $?; cat out
      """)
    #expect(run.output.hasPrefix("7\n"), run.remark)
  }

  @Test func `descendants may come and go while the tree is stopped`() throws {
    let bench = try Workbench()
    let program = try StartedProgram(
      "bash",
      ["-c", "for i in {1..3000}; do /bin/true; done | cat; while :; do /bin/true; done"],
      output: bench.folder.path("output"))
    Machine.sleep(seconds: 0.2)
    for _ in 0..<30 { try bench.ftool("checkpoint save \(program.id) -f -o a.ftc") }
    try program.killTree()
    try bench.ftool("checkpoint restore --detach --stopped a.ftc")
    // It leads its session again, and is no child of this process.
    _ = try bench.shell("pkill -KILL -s \(program.id)")
    #expect(waitForEnd(of: program.id))
  }

  @Test func `of a damaged image nothing is left`() throws {
    let bench = try Workbench()
    let program = try start(bench)
    try bench.ftool("checkpoint save --leave dead \(program.id) -o a.ftc")
    try program.kill()
    let whole = try bench.contents("a.ftc")
    var random = SeededGenerator(seed: 1)
    for round in 0..<24 {
      var bytes = whole
      let place = Int.random(in: 0..<whole.count, using: &random)
      if round % 2 == 0 {
        bytes[place] ^= 1 << UInt8(round % 8)
      } else {
        bytes.removeLast(place + 1)
      }
      try bench.folder.file("b.ftc", bytes)
      let verify = try bench.ftool("checkpoint verify b.ftc --json", ends: 65)
      #expect(try verify.json["code"] == .number(65))
      let restore = try bench.ftool("checkpoint restore b.ftc", ends: 65)
      #expect(restore.error.hasPrefix("ftool: error: b.ftc "), restore.remark)
      #expect(!program.id.exists)
      try bench.ftool("checkpoint restore --detach -", ends: 65, input: bytes)
      #expect(!program.id.exists)
      if round < 2 { try bench.ftool("checkpoint restore --verify yes b.ftc", ends: 65) }
    }
    let only = try bench.ftool("checkpoint restore --verify only a.ftc --json").json
    #expect(only["whole"] == .bool(true) && !program.id.exists)
    try bench.ftool("checkpoint restore --verify yes a.ftc", ends: 5)
    #expect(try log(bench) == Self.numbers)
  }

  @Test(.choosesNumbers)
  func `a restore that is only rehearsed says what stands in the way`() throws {
    let bench = try Workbench()
    let program = try start(bench)
    try bench.ftool("checkpoint save \(program.id) -o a.ftc")
    let taken = try bench.ftool("checkpoint restore -n a.ftc", ends: 75)
    #expect(taken.error.contains("the number \(program.id) belongs to another"), taken.remark)
    try bench.ftool("checkpoint restore -n --pid any a.ftc")
    // Its number is taken until somebody has waited for it.
    try program.id.send(signal: SIGKILL)
    var waiting = try bench.start("checkpoint restore -nf a.ftc")
    Machine.sleep(seconds: 0.5)
    _ = try program.wait()
    #expect(try waiting.finish().status == 0)
    try bench.folder.file("log", [7])
    let text = try bench.ftool("checkpoint restore -n --stdio file:made a.ftc", ends: 65)
    #expect(text.error.contains("\(bench.folder.path("log"))"), text.remark)
    let could = try bench.ftool("checkpoint restore --dry-run -fy a.ftc")
    #expect(could.output == "process \(program.id) would be restored\n", could.remark)
    let unused = try bench.ftool("checkpoint restore -nf a.ftc --map /no/such=/place --map /=/")
    #expect(unused.error.contains("--map /no/such=/place: it has no effect"), unused.remark)
    #expect(!unused.error.contains("--map /=/"), unused.remark)
    let json = try bench.ftool("checkpoint restore -nf --stdio file:made --json a.ftc").json
    #expect(json["dry_run"] == .bool(true) && json["processes"] == .number(1))
    #expect(!program.id.exists && !Files.exists(bench.folder.path("made")))
    try Files.unlink(bench.folder.path("log"))
    let copied = try start(bench)
    try bench.ftool("checkpoint save \(copied.id) -o b.ftc --files copy --leave dead")
    _ = try copied.wait()
    _ = try bench.shell("echo other > output; rm log")
    let back = try bench.ftool("checkpoint restore -nf b.ftc")
    for words in [
      "process \(copied.id) would be restored\n",
      "/log: it is gone, and would be put back\n",
      "/output: it has changed, and would be put back; what is there now would be kept beside it\n",
    ] { #expect(back.output.contains(words), back.remark) }
    let listed = try bench.ftool("checkpoint restore -nf --json b.ftc").json["put_back"]
    #expect(listed.elements.map(\.["replaces"]) == [.bool(false), .bool(true)])
    #expect(listed[0]["file"] == .string(bench.folder.path("log")))
    #expect(!Files.exists(bench.folder.path("log")))
    let gone = try bench.ftool("checkpoint restore -n a.ftc", ends: 66)
    #expect(gone.error.contains(bench.folder.path("log")), gone.remark)
  }

  // MARK: show, verify

  @Test func `show does not break the pipe that it reads from`() throws {
    let bench = try Workbench()
    let program = try start(bench, Self.holder(8))
    let tool = try BuiltTool.path
    let run = try bench.shell(
      "set -o pipefail; '\(tool)' checkpoint save -o - \(program.id) | '\(tool)' checkpoint show -")
    #expect(run.status == 0 && run.output.contains("\(program.id)"), run.remark)
    #expect(try program.wait() == 5)
  }

  @Test func `show and verify tell what is in a file`() throws {
    let bench = try Workbench()
    let program = try start(bench)
    try bench.ftool("checkpoint save \(program.id) -o a.ftc")
    let image = try bench.contents("a.ftc")
    let text = try bench.ftool("checkpoint show a.ftc")
    #expect(text.output.contains("PROGRAM") && text.output.contains("/perl"), text.remark)
    for json in [
      try bench.ftool("checkpoint show a.ftc --json").json,
      try bench.ftool("checkpoint show - --json", input: image).json,
    ] {
      #expect(json["type"] == .string("checkpoint-show"))
      #expect(json["processes"][0]["pid"] == .number(Double(program.id.number)))
      #expect(json["processes"][0]["threads"].elements.count == 1)
      let open = json["processes"][0]["descriptors"].elements
      #expect(
        open.map(\.["kind"]) == [.string("device")]
          + [ParsedJSON](repeating: .string("file"), count: 3))
      #expect(open.first?["what"] == .string("/dev/null"))
      #expect(open.last?["what"] == .string(bench.folder.path("log")))
    }
    let json = try bench.ftool("checkpoint show a.ftc --json").json
    #expect(json["file_bytes"] == .number(Double(image.count)))
    let whole = try bench.ftool("checkpoint verify a.ftc")
    #expect(whole.output.hasPrefix("a.ftc is whole: "), whole.remark)
    let piped = try bench.ftool("checkpoint verify - --json", input: image).json
    #expect(piped["whole"] == .bool(true) && piped["processes"] == .number(1))
    try program.kill()
  }

  // MARK: Wrong input

  @Test(arguments: ["check", "save", "restore", "show", "verify"])
  func `every verb has help, and refuses what it does not know`(verb: String) throws {
    let bench = try Workbench()
    let help = try bench.ftool("checkpoint \(verb) --help")
    #expect(help.output.contains("USAGE: ftool checkpoint \(verb)") && help.error == "")
    for more in ["--no-such-thing", "--jso", ""] {
      let wrong = try bench.ftool("checkpoint \(verb) \(more)", ends: 64)
      #expect(wrong.output == "" && wrong.error.hasPrefix("ftool: error: "), wrong.remark)
    }
    let wrong = try bench.ftool("checkpoint \(verb) --no-such-thing --json", ends: 64)
    let object = verb == "restore" ? try wrong.errorJSON : try wrong.json
    #expect(object["type"] == .string("error") && object["code"] == .number(64), wrong.remark)
  }

  @Test(arguments: ["check", "save"]) func `processes that can't be saved`(verb: String) throws {
    let bench = try Workbench()
    let line = "checkpoint \(verb)"
    for (operand, status, words) in [
      ("999999999", 66, "there is no process 999999999"), ("0", 64, "a number from 1 on"),
      ("-- -5", 64, "a number from 1 on"), ("many", 64, "many"), ("1", 1, "process 1 "),
      ("\(getpid())", 1, "ftool itself runs below process \(getpid())"),
      ("--tree --only 77", 64, "exclude each other"), ("--max-freeze 5 77", 64, "--max-freeze"),
      ("--max-freeze 0s 77", 64, "longer than 0"),
    ] as [(String, Int32, String)] {
      let run = try bench.ftool("\(line) \(operand)", ends: status)
      #expect(run.error.contains(words), run.remark)
    }
    let own = try bench.shell("exec \"\(try BuiltTool.path)\" \(line) $$")
    #expect(own.status == 1 && own.error.contains("ftool cannot save itself"), own.remark)
    let kernel = ProcessID(2)
    if let status = try? ProcessStatus(of: kernel), status.isKernelThread {
      let run = try bench.ftool("\(line) 2", ends: 1)
      #expect(run.error.contains("process 2 is a thread of the kernel"), run.remark)
    }
    #expect(try Files.list(bench.folder.path) == [])
  }

  @Test func `files that can't be written or read`() throws {
    let bench = try Workbench()
    let program = try start(bench)
    try Files.makeDirectory(bench.folder.path("folder"), permissions: 0o700)
    try bench.folder.file("there", [1, 2, 3])
    let save = "checkpoint save \(program.id)"
    try bench.ftool("\(save) -o there", ends: 73)
    #expect(try bench.contents("there") == [1, 2, 3])
    for force in ["", " -f"] {
      let run = try bench.ftool("\(save) -o folder\(force)", ends: 73)
      #expect(run.error.contains("folder is there already, and not a file"), run.remark)
      try bench.ftool("\(save) -o /dev/null\(force)", ends: 73)
    }
    try bench.ftool("\(save) -o no/where", ends: 66)
    try bench.ftool("\(save) -o a.ftc --compress gzip", ends: 64)
    let level = try bench.ftool("\(save) -o a.ftc --compress zlib:10", ends: 64)
    #expect(level.error.contains("zlib has the levels 1 to 9, and none is '10'"), level.remark)
    try bench.ftool("\(save) -o a.ftc --threads 0", ends: 64)
    try bench.ftool("\(save) -o a.ftc --leave alone", ends: 64)
    for verb in ["restore", "show", "verify"] {
      for (name, status, words) in [
        ("folder", 64, "folder is a directory"), ("missing.ftc", 66, "missing.ftc"),
        ("there", 65, "there "),
      ] as [(String, Int32, String)] {
        let run = try bench.ftool("checkpoint \(verb) \(name)", ends: status)
        #expect(run.error.contains(words), run.remark)
      }
    }
    for verb in ["restore", "show", "verify"] {
      let empty = try bench.ftool("checkpoint \(verb) -", ends: 65)
      #expect(empty.error == "ftool: error: standard input is empty\n", empty.remark)
      let short = try bench.ftool("checkpoint \(verb) -", ends: 65, input: [1, 2, 3])
      #expect(short.error.contains(" standard input was not written by "), short.remark)
    }
    for verb in ["restore", "show", "verify"] {
      let nameless = try bench.shell("ftool checkpoint \(verb) ''")
      #expect(nameless.status == 64, nameless.remark)
      #expect(nameless.error.contains("the name of the file is empty"), nameless.remark)
    }
    try bench.ftool("checkpoint restore there --stdio nowhere", ends: 64)
    try bench.ftool("checkpoint restore there --map a=b", ends: 64)
    try bench.ftool("checkpoint restore --verify yes -", ends: 64)
    #expect(try program.wait() == 5)
    #expect(try log(bench) == Self.numbers)
  }

  @Test(
    .enabled(if: SomebodyElse.isPossible, "needs root, setpriv, and a build that others may read"))
  func `without permission nothing is done`() throws {
    let bench = try Workbench()
    let program = try start(bench)
    try bench.ftool("checkpoint save \(program.id) -o a.ftc")
    let asNobody = "\(SomebodyElse.command) \"\(try BuiltTool.path)\""
    for verb in ["check", "save -o -"] {
      let run = try bench.shell("\(asNobody) checkpoint \(verb) \(program.id)")
      #expect(run.status == 77, run.remark)
      #expect(run.error.contains("process \(program.id): "), run.remark)
      #expect(run.error.contains("ftool: hint: "), run.remark)
    }
    #expect(try program.wait() == 5)
    let restore = try bench.shell("\(asNobody) checkpoint restore --detach - < a.ftc")
    #expect(restore.status == 77, restore.remark)
    #expect(restore.error.contains("restore it as root"), restore.remark)
    #expect(!program.id.exists)
  }

  @Test func `the doctor says what works`() throws {
    let bench = try Workbench()
    let run = try bench.shell("ftool doctor --json")
    let json = try run.json
    let works = json["can_restore"] == .bool(true)
    #expect(run.status == (works ? 0 : 1), run.remark)
    let names = json["findings"].elements.compactMap(\.["name"].string)
    for name in ["ptrace", "set_tid", "PAGEMAP_SCAN", "yama", "zstd", "CAP_CHECKPOINT_RESTORE"] {
      #expect(names.contains(name), run.remark)
    }
    for finding in json["findings"].elements where finding["works"] == .bool(false) {
      #expect(finding["remedy"].string?.isEmpty == false, run.remark)
    }
    #expect(works == (try bench.shell("ftool doctor > text").status == 0))
  }
}
