import FToolTestSupport
import LinuxSystem
import Testing

@testable import Checkpointing

/// Programs that nobody wrote for this.
@Suite(.serialized) struct RealProgramTests: ~Copyable {
  let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  @Test(.needs("perl")) func `perl goes on from where it was`() throws {
    try goesOn(
      "perl",
      """
      my %h; for my $i (1..150) { $h{$i}=$i*$i; select(undef,undef,undef,0.01); }
      my $s=0; $s+=$_ for values %h; exit($s==1136275?0:1)
      """, option: "-e")
  }

  @Test(.needs("bash")) func `bash goes on from where it was`() throws {
    try goesOn(
      "bash",
      """
      (for i in $(seq 1 60); do echo $i; sleep 0.02; done) |
        (s=0; while read n; do s=$((s+n)); done; [ $s = 1830 ]) || exit 3
      sleep 0.5 & wait $! || exit 4; exit 0
      """)
  }

  @Test(.needs("python3")) func `Python goes on from where it was`() throws {
    try goesOn(
      "python3",
      """
      import threading, time, hashlib, sys
      total = [0]
      lock = threading.Lock()
      def work(n):
          for i in range(40):
              h = hashlib.sha256(bytes([n, i])).digest()
              with lock: total[0] += h[0]
              time.sleep(0.02)
      all = [threading.Thread(target=work, args=(n,)) for n in range(5)]
      [t.start() for t in all]
      [t.join() for t in all]
      want = sum(hashlib.sha256(bytes([n, i])).digest()[0] for n in range(5) for i in range(40))
      sys.exit(0 if total[0] == want else 1)
      """)
  }

  private func goesOn(_ program: String, _ script: String, option: String = "-c") throws {
    let child = try StartedProgram(program, [option, script], output: scratch.path("output"))
    for round in 0..<3 {
      Machine.sleep(seconds: 0.15 + 0.1 * Double(round))
      let trip = try RoundTrip(saving: child.id)
      try child.killTree()
      try trip.restore()
    }
    #expect(try child.wait() == 0)
    #expect(try scratch.text("output") == "")
  }
}
