import FToolTestSupport
import SystemPackage
import Testing

@testable import LinuxSystem

@Suite struct DeviceUseTests {
  let scratch: Scratch
  init() throws { scratch = try Scratch() }

  /// Writes a file of a made-up /proc or /sys.
  private func fake(_ path: String, _ text: String) throws {
    let full = scratch.path(path)
    try Files.makeDirectory(Files.directory(of: full), withParents: true)
    try scratch.directory.file(path, Array(text.utf8))
  }

  private func find(_ identity: FileIdentity, _ path: String = "/no/such/device") -> DeviceUse? {
    DeviceUse.find(identity, path: path, under: scratch.directory.path)
  }

  private let disk = FileIdentity(deviceNumber: "259:3")!

  @Test func `nobody uses a new file`() throws {
    let path = try scratch.directory.file("member", [1])
    #expect(try DeviceUse.find(path) == nil)
    #expect(throws: SystemCallError.self) { try DeviceUse.find("/no/such/file") }
  }

  @Test func `finds the loop device of a file, whatever its name`() throws {
    let path = try scratch.directory.file("member", [1])
    let identity = try Files.identity(of: path)
    try fake("sys/block/loop7/loop/backing_file", scratch.path("./member") + "\n")
    try fake("sys/block/loopx/loop/backing_file", path + "\n")
    try fake("sys/block/sda/size", "1\n")
    #expect(find(identity) == .loop(name: "loop7"))
    let other = try Files.identity(of: scratch.directory.file("other", [1]))
    #expect(find(other) == nil)
  }

  @Test func `finds mounts by number and by name`() throws {
    try fake(
      "proc/self/mountinfo",
      """
      24 30 0:22 / /proc rw shared:12 - proc proc rw
      broken
      36 35 259:3 /sub /mnt/with\\040space rw,noatime shared:1 - ext4 /dev/sdx1 rw

      """)
    #expect(find(disk) == .mounted(at: "/mnt/with space"))
    #expect(find(FileIdentity(deviceNumber: "259:4")!) == nil)
  }

  @Test func `a disk is used when one of its partitions is`() throws {
    try fake("sys/dev/block/259:3/part1/partition", "1\n")
    try fake("sys/dev/block/259:3/part1/dev", "259:9\n")
    try fake("sys/dev/block/259:3/queue/dev", "1:1\n")
    try fake("proc/self/mountinfo", "36 35 259:9 / /boot rw - ext4 /dev/sdx1 rw\n")
    #expect(find(disk) == .mounted(at: "/boot"))
    try fake("proc/self/mountinfo", "36 35 1:1 / /boot rw - ext4 /dev/sdx1 rw\n")
    try fake("sys/dev/block/259:9/holders/md127/dev", "9:127\n")
    #expect(find(disk) == .holder(name: "md127"))
  }

  @Test func `finds swap files`() throws {
    let path = try scratch.directory.file("swap file", [1])
    let escaped = path.split(separator: " ").joined(separator: "\\040")
    try fake("proc/swaps", "Filename Type Size\n\(escaped) file 1024 0 -2\n")
    #expect(find(try Files.identity(of: path)) == .swap)
  }

  @Test(arguments: [
    "", "\n\n", "- - - - -", "1 2 3 4 5 6 -", "1 2 3 4 5 - x", "\u{0}\u{0} \u{ff}", "a b 259:3",
    "1 2 259:33 / / - ext4 relative rw",
  ])
  func `believes no broken line`(text: String) throws {
    try fake("proc/self/mountinfo", text)
    try fake("proc/swaps", text)
    try fake("sys/block/loop0/loop/backing_file", text)
    try fake("sys/dev/block/259:3/x/partition", text)
    try fake("sys/dev/block/259:3/x/dev", text)
    #expect(find(disk) == nil)
  }

  @Test func `undoes the kernel's escapes and no others`() {
    #expect(DeviceUse.unescape("a\\040b\\134\\011") == "a b\\\t")
    #expect(DeviceUse.unescape("\\04") == "\\04")
    #expect(DeviceUse.unescape("\\089\\") == "\\089\\")
    #expect(DeviceUse.unescape("\\303\\251") == "é")
  }

  @Test func `knows the root filesystem's device is in use`() throws {
    // Where the root is on a disk that /dev names; elsewhere (overlay) there is nothing to find.
    let root = try Files.status(of: "/").identity
    let disk = FileIdentity(device: root.device, inode: 0, isBlockDevice: true)
    if Files.exists("/sys/dev/block/\(disk.deviceNumber)") {
      #expect(DeviceUse.find(disk, path: "/no/such", under: "") == .mounted(at: "/"))
    }
  }

  // Needs root and loop devices; a machine without them has nothing to detect.
  @Test(.enabled(if: LoopDevice.isAvailable, "needs root and a free loop device"))
  func `finds a real loop device`() throws {
    let path = try scratch.directory.sparseFile("member", byteCount: 1 << 20)
    let loop = try LoopDevice(path)
    let name = FilePath(loop.path).lastComponent!.string
    #expect(try DeviceUse.find(path) == .loop(name: name))
    // Its name has changed since, and what is there now is another file.
    try Files.rename(path, to: scratch.path("renamed"))
    try scratch.directory.sparseFile("member", byteCount: 1)
    #expect(try DeviceUse.find(scratch.path("renamed")) == .loop(name: name))
    #expect(try DeviceUse.find(path) == nil)
    #expect(try DeviceUse.find(loop.path) == nil)

    let held = try OwnedDescriptor.open(loop.path, access: .readWrite, options: .exclusive)
    #expect(try DeviceUse.find(loop.path) == .busy)
    #expect(try held.kind == .block)
    #expect(try held.size == 1 << 20)
    #expect(try held.sectorSize >= 512)
    #expect(try held.identity.isBlockDevice)
  }
}
