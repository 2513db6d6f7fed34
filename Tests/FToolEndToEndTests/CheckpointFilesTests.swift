import FToolTestSupport
import Glibc
import LinuxSystem
import Testing

/// Files that a program has open, what leads outside, and how long it may stand still.
@Suite(.serialized, .needs("perl")) struct CheckpointFilesTests {
  /// Has a file open to read, one to append to and one to write at will; waits until `go` is there, then
  /// writes a line to the last two and ends with 5 if what it reads is what it was.
  private static let editor = """
    chdir $ARGV[0] or die;
    open my $read, '<', 'read' or die; open my $log, '>>', 'log' or die; open my $data, '+<', 'data' or die;
    my $first = <$read>; $_->autoflush for $log, $data; seek $data, 4, 0;
    open my $ready, '>', 'ready' or die; close $ready; select undef, undef, undef, 0.02 until -e 'go';
    print $log "more\\n"; print $data "MORE"; my $second = <$read>;
    exit($second eq "second\\n" ? 5 : 6)
    """

  private func startEditor(_ bench: borrowing Workbench) throws -> StartedProgram {
    for (name, text) in [("read", "first\nsecond\n"), ("log", "one\ntwo\n"), ("data", "12345678")] {
      _ = try bench.folder.file(name, Array(text.utf8))
    }
    let program = try StartedProgram(
      "perl", ["-MIO::Handle", "-e", Self.editor, bench.folder.path],
      output: bench.folder.path("output"))
    try wait(for: "ready", bench)
    return program
  }

  private func wait(for name: String, _ bench: borrowing Workbench) throws {
    for _ in 0..<3000 where !Files.exists(bench.folder.path(name)) { Machine.sleep(seconds: 0.01) }
    try #require(Files.exists(bench.folder.path(name)))
  }

  private func saveAndEnd(
    _ program: StartedProgram, _ bench: borrowing Workbench, _ options: String = ""
  ) throws {
    try bench.ftool("checkpoint save \(program.id) -o a.ftc --leave dead \(options)")
    _ = try program.wait()
  }

  private func text(_ name: String, _ bench: borrowing Workbench) throws -> String {
    String(decoding: try bench.contents(name), as: UTF8.self)
  }

  private func write(_ text: String, to name: String, _ bench: borrowing Workbench) throws {
    try? Files.unlink(bench.folder.path(name))
    _ = try bench.folder.file(name, Array(text.utf8))
  }

  private func append(_ text: String, to name: String, _ bench: borrowing Workbench) throws {
    _ = try bench.shell("printf '\(text)' >> \(name)")
  }

  // MARK: By reference

  @Test func `what has changed is refused all at once, and taken with force`() throws {
    let bench = try Workbench()
    let program = try startEditor(bench)
    try saveAndEnd(program, bench)
    try append("third\\n", to: "read", bench)
    _ = try bench.shell("touch -d '2001-01-01' data")
    let refused = try bench.ftool("checkpoint restore a.ftc", ends: 65)
    #expect(refused.error.contains("2 obstacles"), refused.remark)
    for words in [
      "process \(program.id): descriptor ", "/read): it has 19 bytes and had 13",
      "/data): it was modified at another time, which is earlier", "to do: ", "--force",
    ] { #expect(refused.error.contains(words), refused.remark) }
    #expect(!program.id.exists)
    let json = try bench.ftool("checkpoint restore a.ftc --json --detach", ends: 65).json
    #expect(json["code"] == .number(65))
    try write("", to: "go", bench)
    let forced = try bench.ftool("checkpoint restore a.ftc -f", ends: 5)
    #expect(forced.error.contains("/read): it has 19 bytes and had 13"), forced.remark)
    #expect(try text("data", bench) == "1234MORE")
    #expect(try text("log", bench) == "one\ntwo\nmore\n")
  }

  @Test func `what only grew where it is appended to is taken, with a warning`() throws {
    let bench = try Workbench()
    let program = try startEditor(bench)
    try saveAndEnd(program, bench)
    try write("something else, and longer\n", to: "log", bench)
    let refused = try bench.ftool("checkpoint restore a.ftc", ends: 65)
    #expect(refused.error.contains("/log): it has 27 bytes and had 8"), refused.remark)
    try write("one\ntwo\nthree\n", to: "log", bench)
    try write("", to: "go", bench)
    let run = try bench.ftool("checkpoint restore a.ftc", ends: 5)
    #expect(run.error.contains("/log): it has grown by 6 bytes since"), run.remark)
    #expect(try text("log", bench) == "one\ntwo\nthree\nmore\n")
  }

  @Test func `what is gone is named, and so is the file of a program that has changed`() throws {
    let bench = try Workbench()
    let program = try startEditor(bench)
    try saveAndEnd(program, bench)
    try bench.remove("read")
    try bench.remove("data")
    let refused = try bench.ftool("checkpoint restore a.ftc -f", ends: 66)
    #expect(refused.error.contains("/read): it is gone"), refused.remark)
    #expect(refused.error.contains("/data): it is gone"), refused.remark)
    #expect(!program.id.exists)

    _ = try bench.shell("cp -p $(command -v sleep) nap")
    let nap = try StartedProgram(
      bench.folder.path("nap"), ["100"], output: bench.folder.path("output"))
    Machine.sleep(seconds: 0.3)
    try bench.ftool("checkpoint save \(nap.id) -o nap.ftc --leave dead")
    _ = try nap.wait()
    _ = try bench.shell("touch nap")
    let changed = try bench.ftool("checkpoint restore nap.ftc", ends: 65)
    #expect(changed.error.contains("process \(nap.id): memory ("), changed.remark)
    #expect(changed.error.contains("/nap): it was modified at another time"), changed.remark)
  }

  // MARK: Copies

  @Test(.choosesNumbers) func `copies put back what is gone, as it was`() throws {
    let bench = try Workbench()
    let program = try startEditor(bench)
    _ = try bench.shell("chmod 640 data; touch -d '2003-04-05 06:07:08.123456789 UTC' data read")
    let saved = try bench.ftool(
      "checkpoint save \(program.id) -o a.ftc --leave dead --files copy")
    _ = try program.wait()
    #expect(saved.output.contains("of memory and 4 open files in "), saved.remark)
    let image = try bench.ftool("checkpoint show a.ftc")
    #expect(image.output.contains("/data, with its content\n"), image.remark)
    for name in ["read", "log", "data"] { try bench.remove(name) }
    let run = try bench.ftool("checkpoint restore a.ftc --detach --stopped")
    #expect(run.error.contains("/data: it was gone, and was put back"), run.remark)
    #expect(try text("read", bench) == "first\nsecond\n")
    #expect(try text("log", bench) == "one\ntwo\n")
    #expect(try text("data", bench) == "12345678")
    let shown = try bench.shell("stat -c '%a %.Y' data")
    #expect(shown.output == "640 1049522828.123456789\n", shown.remark)
    try program.id.send(signal: SIGCONT)
    try write("", to: "go", bench)
    for _ in 0..<1000 where try text("data", bench) != "1234MORE" { Machine.sleep(seconds: 0.01) }
    #expect(try text("data", bench) == "1234MORE")
    #expect(try Files.list(bench.folder.path).filter { $0.contains(".tmp") } == [])
  }

  @Test func `copies replace what has changed only with force, and keep it`() throws {
    let bench = try Workbench()
    let program = try startEditor(bench)
    try saveAndEnd(program, bench, "--files copy")
    try write("", to: "go", bench)
    try write("new", to: "data", bench)
    try write("one\ntwo\nthree\n", to: "log", bench)
    let refused = try bench.ftool("checkpoint restore a.ftc", ends: 65)
    #expect(refused.error.contains("/data): it has 3 bytes and had 8"), refused.remark)
    #expect(refused.error.contains("pass --force"), refused.remark)
    #expect(!refused.error.contains("/log"), refused.remark)
    #expect(try text("data", bench) == "new")
    try write("older", to: "data.ftool-1~", bench)
    let forced = try bench.ftool("checkpoint restore a.ftc -f", ends: 5)
    #expect(forced.error.contains("/data.ftool-2~ now"), forced.remark)
    #expect(try text("data", bench) == "1234MORE")
    #expect(try text("data.ftool-1~", bench) == "older")
    #expect(try text("data.ftool-2~", bench) == "new")
    #expect(try text("log.ftool-1~", bench) == "one\ntwo\nthree\n")
    #expect(try text("log", bench) == "one\ntwo\nmore\n")
  }

  @Test func `a file that only looks as it did is found out by its copy`() throws {
    let bench = try Workbench()
    let program = try startEditor(bench)
    try saveAndEnd(program, bench, "--files copy")
    _ = try bench.shell(
      "touch -r data time; printf 87654321 > data; touch -r time data; rm time")
    let refused = try bench.ftool("checkpoint restore a.ftc", ends: 65)
    #expect(refused.error.contains("/data: at byte 0 it holds something else"), refused.remark)
    #expect(try text("data", bench) == "87654321")
    #expect(!program.id.exists)
  }

  @Test func `a restore that fails leaves files as they were`() throws {
    let bench = try Workbench()
    let program = try startEditor(bench)
    try saveAndEnd(program, bench, "--files copy")
    try bench.remove("read")
    try write("new", to: "data", bench)
    let before = try bench.snapshot()
    // The last thing that can go wrong, and one that is found when all but the end was read.
    try bench.ftool("checkpoint restore a.ftc -f --detach --pidfile no/where", ends: 66)
    #expect(try bench.snapshot() == before)
    let image = try bench.contents("a.ftc")
    try bench.damage("a.ftc", at: image.count - 50, [image[image.count - 50] ^ 1])
    try bench.ftool("checkpoint restore --detach -f a.ftc", ends: 65)
    try bench.damage("a.ftc", at: image.count - 50, [image[image.count - 50]])
    #expect(try bench.snapshot() == before)
    #expect(!program.id.exists)
  }

  @Test func `files with holes stay so, and may come back elsewhere`() throws {
    let bench = try Workbench()
    try Files.makeDirectory(bench.folder.path("old"))
    let script = """
      open my $file, '+>', "$ARGV[0]/old/sparse" or die; $file->autoflush;
      seek $file, 200 << 20, 0; print $file "end"; seek $file, 1 << 20, 0; print $file "middle" x 1000;
      open my $ready, '>', "$ARGV[0]/ready" or die; close $ready;
      select undef, undef, undef, 0.02 until -e "$ARGV[0]/go"; print $file "written"; exit 5
      """
    let program = try StartedProgram(
      "perl", ["-MIO::Handle", "-e", script, bench.folder.path],
      output: bench.folder.path("output"))
    try wait(for: "ready", bench)
    try saveAndEnd(program, bench, "--files copy")
    #expect(try bench.contents("a.ftc").count < 32 << 20)
    let expected = try bench.shell("mv old/sparse kept; rmdir old; mkdir new; cat kept | cksum")
    try write("", to: "go", bench)
    let gone = try bench.ftool("checkpoint restore a.ftc", ends: 66)
    #expect(gone.error.contains("/old/sparse): its folder is gone"), gone.remark)
    try bench.ftool(
      "checkpoint restore a.ftc --map \(bench.folder.path)/old=\(bench.folder.path)/new", ends: 5)
    let found = try bench.shell(
      "printf written | dd of=kept bs=1 seek=$(((1 << 20) + 6000)) conv=notrunc 2> /dev/null; cmp kept new/sparse && "
        + "[ $(stat -c %b new/sparse) -lt 20000 ] && echo same")
    #expect(found.output == "same\n", found.remark)
    #expect(expected.status == 0)
  }

  // MARK: What leads outside

  /// Says which is which on its standard files, and what it reads.
  private static let talker = """
    $| = 1; open my $ready, '>', "$ARGV[0]/ready"; close $ready;
    select undef, undef, undef, 0.02 until -e "$ARGV[0]/go";
    my $line = <STDIN>; print STDOUT "out ", $line // "nothing\\n"; print STDERR "err\\n"; exit 5
    """

  @Test func `standard files go where a script wants them`() throws {
    let bench = try Workbench()
    let run = try bench.shell(
      """
      set -e
      for n in $(ls /proc/self/fd); do [ $n -lt 3 ] || eval "exec $n>&-"; done
      cat > talk.pl <<'END'
      \(Self.talker)
      END
      exec 4< <(exec sleep 1000 2> /dev/null); quiet=$!
      exec 5> >(exec cat > first 2> /dev/null) 6> >(exec cat > first 2> /dev/null)
      perl talk.pl $PWD <&4 >&5 2>&6 4<&- 5>&- 6>&- & pid=$!
      until [ -e ready ]; do sleep 0.05; done
      ftool checkpoint save --leave dead -q -o a.ftc $pid
      wait $pid || [ $? = 137 ]
      touch go
      echo input > in
      try() { ftool checkpoint restore a.ftc "$@" < in || [ $? = 5 ]; }
      echo "inherit: $(try 2>&1 | tr '\\n' ' ')"
      echo "null: $(try --stdio null 2>&1 | tr '\\n' ' ')"
      try --stdio file:log; echo "file: $(tr '\\n' ' ' < log)"
      try --stdio 1=file:out --stdio 2=null; echo "each: $(tr '\\n' ' ' < out)"
      echo other > in2
      try --stdio 0=file:in2 --stdio 1=7 7> out7; echo "number: $(cat out7)"
      try --stdio 8 8<> both; echo "both: $(tr '\\n' ' ' < both)"
      kill $quiet
      """)
    #expect(
      run.output.hasSuffix(
        """
        inherit: out input err 
        null: 
        file: out nothing err 
        each: out input 
        number: out other
        both: out nothing err 

        """), run.remark)
    for (words, message) in [
      ("99", "descriptor 99 is not open"), ("3=null", "standard files have the numbers 0, 1 and 2"),
      ("1=/some/file", "is none of inherit"), ("0", "descriptor 0 is not open for writing"),
      ("file:", "is none of inherit"),
    ] {
      let run = try bench.shell("ftool checkpoint restore a.ftc --stdio \(words) < /dev/null")
      #expect(run.status == 64 && run.error.contains(message), run.remark)
    }
  }

  /// Counts on standard output, which is a common log that others write to as well.
  private func startCounter(
    _ bench: borrowing Workbench, _ redirection: String, files: String = "reference"
  ) throws -> Workbench.Run {
    try bench.shell(
      """
      set -e
      for n in $(ls /proc/self/fd); do [ $n -lt 3 ] || eval "exec $n>&-"; done
      echo one > log; printf 'first\\nsecond\\n' > lines
      setsid perl -e '$| = 1; open my $ready, ">", "ready"; close $ready; select undef, undef, undef, 0.02 until -e "go";
        sysread STDIN, my $read, 100; print "read $read"; warn "done\\n"; exit 5' \(redirection) & pid=$!
      until [ -e ready ]; do sleep 0.02; done
      ftool checkpoint save --leave dead -q -o a.ftc --files \(files) $pid
      wait $pid || [ $? = 137 ]
      echo "of somebody else" >> log
      touch go
      """)
  }

  @Test(arguments: ["reference", "copy"])
  func `output that went to a file goes where --stdio says, and that file is not compared`(
    _ files: String
  ) throws {
    let bench = try Workbench()
    let saved = try startCounter(bench, "< lines 1<> log 2>&1", files: files)
    #expect(saved.status == 0, saved.remark)
    let refused = try bench.ftool("checkpoint restore a.ftc", ends: 65)
    for words in [
      "descriptor 1 (\(bench.folder.path("log"))): it has 21 bytes and had 4",
      "lead it elsewhere with --stdio", "pass --force",
    ] + (files == "copy" ? [] : ["(>>)", "--files copy"]) {
      #expect(refused.error.contains(words), refused.remark)
    }
    let half = try bench.ftool("checkpoint restore a.ftc --stdio 1=null", ends: 65)
    #expect(half.error.contains("descriptor 2 ("), half.remark)
    // Standard input stays where it was, unless its number is named.
    let run = try bench.ftool("checkpoint restore a.ftc --stdio file:new", ends: 5)
    #expect(run.error.isEmpty, run.remark)
    #expect(try text("new", bench) == "read first\nsecond\ndone\n")
    #expect(try text("log", bench) == "one\nof somebody else\n")
    try bench.remove("log")
    if files == "reference" {
      let gone = try bench.ftool("checkpoint restore a.ftc", ends: 66)
      #expect(gone.error.contains("or that output with --stdio"), gone.remark)
    }
    try write("third\n", to: "other", bench)
    let named = try bench.ftool(
      "checkpoint restore a.ftc --stdio 0=file:other --stdio 1=inherit --stdio 2=inherit", ends: 5)
    #expect(named.output == "read third\n" && named.error == "done\n", named.remark)
    #expect(!Files.exists(bench.folder.path("log")))
  }

  @Test func `a descendant's own output that --stdio leads elsewhere is named`() throws {
    let bench = try Workbench()
    let run = try bench.shell(
      """
      set -e
      for n in $(ls /proc/self/fd); do [ $n -lt 3 ] || eval "exec $n>&-"; done
      setsid bash -c '(until [ -e go ]; do sleep 0.02; done; echo result; echo said >&2) > result; echo end' \
        < /dev/null > log 2>&1 & pid=$!
      until [ -e result ]; do sleep 0.02; done
      ftool checkpoint save --leave dead -q -o a.ftc $pid > /dev/null
      wait $pid || [ $? = 137 ]
      touch go
      ftool checkpoint restore a.ftc --stdio file:new > told 2>&1
      echo "told: $(cat told)"; echo "new: $(tr '\\n' ' ' < new)"
      ftool checkpoint restore a.ftc --stdio 2=file:errors 2>&1; cat errors
      """)
    #expect(run.status == 0, run.remark)
    let lines = run.output.split(separator: "\n")
    try #require(lines.count == 3, run.remark)
    #expect(
      lines[0].contains(
        "descriptor 1 (\(bench.folder.path("result"))): this file of its own gives way to what --stdio says"
      )
        && lines[1] == "new: result said end " && lines[2] == "said", run.remark)
    #expect(try text("result", bench) == "result\n")
  }

  @Test func `a device gives way only to its number, and what has no effect is told`() throws {
    let bench = try Workbench()
    let saved = try startCounter(bench, "< lines > /dev/null 2> /dev/null")
    #expect(saved.status == 0, saved.remark)
    let all = try bench.ftool("checkpoint restore a.ftc --stdio file:new", ends: 5)
    #expect(all.error.contains("warning: --stdio: it has no effect"), all.remark)
    let named = try bench.ftool("checkpoint restore a.ftc --stdio 1=file:new", ends: 5)
    #expect(named.error.isEmpty, named.remark)
    #expect(try text("new", bench) == "read first\nsecond\n")
  }

  @Test(.needs("script")) func `a terminal is given to a program that had one`() throws {
    let bench = try Workbench()
    // The program leads a session whose terminal is script's, and is restored to another.
    let run = try bench.shell(
      """
      set -e
      for n in $(ls /proc/self/fd); do [ $n -lt 3 ] || eval "exec $n>&-"; done
      cat > talk.sh <<'END'
      echo $$ > pid; touch ready; until [ -e go ]; do sleep 0.05; done
      echo "on $(tty)" > /dev/tty; exit 5
      END
      script -qec 'exec bash talk.sh' /dev/null < /dev/null > first 2>&1 & job=$!
      until [ -s pid -a -e ready ]; do sleep 0.05; done
      sleep 0.3
      ftool checkpoint save --leave dead -q -o a.ftc $(cat pid)
      wait $job || true
      touch go
      perl -MFcntl -e '\(Self.terminal)' "\(try BuiltTool.path)"
      """)
    #expect(run.output.contains("ended 5, which said on /dev/pts/"), run.remark)
  }

  /// Makes a terminal that no session has, and restores a program to it.
  private static let terminal = """
    $^F = 100; $| = 1; sysopen M, "/dev/ptmx", O_RDWR | O_NOCTTY or die; my $n = pack "i", 0;
    ioctl M, 0x40045431, $n or die; ioctl M, 0x80045430, $n or die;
    sysopen S, "/dev/pts/" . unpack("i", $n), O_RDWR | O_NOCTTY or die; my $f = fileno S;
    system "setsid", "--wait", $ARGV[0], "checkpoint", "restore", "a.ftc", "--stdio", $f;
    my $status = $? >> 8; sysread M, my $said, 100; print "ended $status, which said $said";
    """

  // MARK: Connections

  @Test func `connections are refused, or come back with their other end gone`() throws {
    let bench = try Workbench()
    let server = """
      use IO::Socket::INET; my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die;
      open my $port, '>', "$ARGV[0]/port.new"; print $port $s->sockport; close $port;
      rename "$ARGV[0]/port.new", "$ARGV[0]/port"; my $c = $s->accept; sleep 100
      """
    let client = """
      use IO::Socket::INET; use Errno; $SIG{PIPE} = 'IGNORE';
      my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ARGV[1]") or die;
      my $set = syscall 291, 0; my $event = pack 'LQ', 1, 0; syscall 233, $set, 1, fileno $c, $event;
      my $free = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die;
      open my $ready, '>', "$ARGV[0]/ready"; close $ready;
      select undef, undef, undef, 0.02 until -e "$ARGV[0]/go";
      my $first = sysread $c, my $bytes, 10; exit 6 unless !defined $first && $!{ECONNRESET};
      exit 7 unless 0 == sysread $c, $bytes, 10; my $sent = syswrite $c, 'words';
      exit 8 unless !defined $sent && $!{EPIPE}; exit 9 unless $free->sockport; exit 5
      """
    let listener = try StartedProgram(
      "perl", ["-e", server, bench.folder.path], output: bench.folder.path("output"))
    defer { try? listener.kill() }
    try wait(for: "port", bench)
    let program = try StartedProgram(
      "perl", ["-e", client, bench.folder.path, try text("port", bench)],
      output: bench.folder.path("output"))
    try wait(for: "ready", bench)
    let check = try bench.ftool("checkpoint check \(program.id)", ends: 1)
    #expect(check.output.contains("it is an established TCP connection"), check.remark)
    #expect(check.output.contains("--tcp close"), check.remark)
    // What waits for what is refused is no obstacle of its own.
    #expect(check.output.contains("can't be saved: 1 obstacle\n"), check.remark)
    try bench.ftool("checkpoint check --tcp close \(program.id)")
    try bench.ftool("checkpoint save -o a.ftc \(program.id)", ends: 1)
    try saveAndEnd(program, bench, "--tcp close")
    let shown = try bench.ftool("checkpoint show a.ftc")
    #expect(shown.output.contains("internet: TCP, was connected"), shown.remark)
    #expect(shown.output.contains("internet: TCP, listens at 127.0.0.1:"), shown.remark)
    try write("", to: "go", bench)
    try bench.ftool("checkpoint restore a.ftc", ends: 5)
  }

  // MARK: Standing still

  @Test func `a save that takes too long lets the program run on`() throws {
    let bench = try Workbench()
    let program = try startEditor(bench)
    // Nobody reads from the pipe, and so little memory is read while the program stands still.
    let run = try bench.shell(
      """
      mkfifo pipe; exec 8<> pipe
      "\(try BuiltTool.path)" checkpoint save --compress none -o - --max-freeze 200ms \(program.id) > pipe
      """)
    #expect(run.status == 75, run.remark)
    #expect(
      run.error.contains("process \(program.id) would have stood still for more than 200ms"),
      run.remark)
    // Nor does it wait for ever where there is no limit, but until it is told to end.
    let told = try bench.shell(
      """
      exec 8<> pipe
      "\(try BuiltTool.path)" checkpoint save --compress none -o - \(program.id) > pipe & job=$!
      until grep -q ' t ' /proc/\(program.id)/stat; do sleep 0.02; done
      kill -TERM $job; wait $job; echo $?
      """)
    #expect(told.output == "143\n", told.remark)
    try write("", to: "go", bench)
    #expect(try program.wait() == 5)
  }

  @Test func `a pipe whose reader fails leaves the program to go on`() throws {
    let bench = try Workbench()
    let program = try startEditor(bench)
    for reader in ["false", "head -c 1000 > /dev/null", "exec 0<&-; sleep 0.1; false"] {
      let run = try bench.shell(
        """
        set -o pipefail
        if ftool checkpoint save --leave stopped -o - \(program.id) | (\(reader)); then kill -KILL \(program.id)
        else kill -CONT \(program.id); echo goes on; fi
        """)
      #expect(run.output == "goes on\n", run.remark)
    }
    try write("", to: "go", bench)
    #expect(try program.wait() == 5)
  }

  @Test func `check says what is read while the program stands still`() throws {
    let bench = try Workbench()
    let program = try startEditor(bench)
    let plain = try bench.ftool("checkpoint check \(program.id) --json").json
    #expect(plain["read_while_stopped"] == .array([]))
    #expect((plain["expected_freeze_seconds"].number ?? 0) > 0)
    let run = try bench.ftool("checkpoint check --files copy \(program.id)")
    #expect(run.output.contains("/data, up to 8 B: a copy of it was asked for"), run.remark)
    try program.kill()
  }

  @Test func `names that are no UTF-8 are kept as they are`() throws {
    let bench = try Workbench()
    let run = try bench.shell(
      """
      set -e
      for n in $(ls /proc/self/fd); do [ $n -lt 3 ] || eval "exec $n>&-"; done
      folder=$(printf 'f\\xff'); mkdir "$folder"; cp "$(command -v perl)" "$folder"/$(printf 'p\\xe9rl'); home=$PWD
      (cd "$folder"; exec setsid ./$(printf 'p\\xe9rl') -e '$| = 1; print "ready\\n"; select undef, undef, undef, 0.02 until -e "go";
        open my $in, "<", "go"; print "went on: ", <$in>; exit 7') < /dev/null > "$folder"/$(printf 'l\\xfeg') 2>&1 & pid=$!
      until [ -s "$folder"/l*g ]; do sleep 0.02; done
      ftool checkpoint save --leave dead -q $pid -o "$folder/a.ftc"
      wait $pid || [ $? = 137 ]
      echo now > "$folder/go"
      ftool checkpoint restore -n --json "$folder/a.ftc" > /dev/null
      ftool checkpoint restore "$folder/a.ftc" || echo "ended with $?"
      cat "$folder"/l*g; ls "$folder" | od -An -c | tr -d ' \\n'
      ftool checkpoint restore "$folder/b.ftc" 2>&1 || true
      """)
    #expect(run.status == 0, run.remark)
    for words in [
      "to f\\xff/a.ftc: ", "ended with 7\n", "ready\nwent on: now\n",
      "a.ftc\\ngo\\nl376g\\np351rl\\n", "ftool: error: f\\xff/b.ftc: ",
    ] { #expect(run.output.contains(words), run.remark) }
  }

  @Test(.needs("cc")) func `check says once what is to be said of many pieces of memory`() throws {
    let bench = try Workbench()
    let program = try CompiledProgram("shares", in: bench.folder, test: #filePath).start(
      ["300"], output: bench.folder.path("said"))
    while try bench.folder.text("said").isEmpty { Machine.sleep(seconds: 0.01) }
    let run = try bench.ftool("checkpoint check \(program.id)")
    #expect(run.output.contains(": shared memory, 300 pieces, up to 2.3 MiB: it is"), run.remark)
    #expect(run.output.split(separator: "\n").count == 3, run.remark)
    try program.kill()
  }
}
