import CLinux
import SystemPackage

/// A system call by its number on this architecture: what the C library has no name for, and what another
/// process is made to call.
package struct KernelCall: RawRepresentable, Hashable, Sendable {
  package let rawValue: Int
  package init(rawValue: Int) { self.rawValue = rawValue }

  #if arch(x86_64)
    package static let read = KernelCall(rawValue: 0)
    package static let close = KernelCall(rawValue: 3)
    package static let mmap = KernelCall(rawValue: 9)
    package static let mprotect = KernelCall(rawValue: 10)
    package static let munmap = KernelCall(rawValue: 11)
    package static let brk = KernelCall(rawValue: 12)
    package static let rtSigaction = KernelCall(rawValue: 13)
    package static let rtSigprocmask = KernelCall(rawValue: 14)
    package static let ioctl = KernelCall(rawValue: 16)
    package static let readv = KernelCall(rawValue: 19)
    package static let mremap = KernelCall(rawValue: 25)
    package static let madvise = KernelCall(rawValue: 28)
    package static let dup2 = KernelCall(rawValue: 33)
    package static let pause = KernelCall(rawValue: 34)
    package static let nanosleep = KernelCall(rawValue: 35)
    package static let getitimer = KernelCall(rawValue: 36)
    package static let setitimer = KernelCall(rawValue: 38)
    package static let getpid = KernelCall(rawValue: 39)
    package static let accept = KernelCall(rawValue: 43)
    package static let recvfrom = KernelCall(rawValue: 45)
    package static let recvmsg = KernelCall(rawValue: 47)
    package static let clone = KernelCall(rawValue: 56)
    package static let vfork = KernelCall(rawValue: 58)
    package static let exit = KernelCall(rawValue: 60)
    package static let wait4 = KernelCall(rawValue: 61)
    package static let kill = KernelCall(rawValue: 62)
    package static let semop = KernelCall(rawValue: 65)
    package static let fcntl = KernelCall(rawValue: 72)
    package static let pipe2 = KernelCall(rawValue: 293)
    package static let tee = KernelCall(rawValue: 276)
    package static let lseek = KernelCall(rawValue: 8)
    package static let open = KernelCall(rawValue: 2)
    package static let poll = KernelCall(rawValue: 7)
    package static let write = KernelCall(rawValue: 1)
    package static let chdir = KernelCall(rawValue: 80)
    package static let fchdir = KernelCall(rawValue: 81)
    package static let umask = KernelCall(rawValue: 95)
    package static let ptrace = KernelCall(rawValue: 101)
    package static let setpgid = KernelCall(rawValue: 109)
    package static let setsid = KernelCall(rawValue: 112)
    package static let setgroups = KernelCall(rawValue: 116)
    package static let setresuid = KernelCall(rawValue: 117)
    package static let setresgid = KernelCall(rawValue: 119)
    package static let setfsuid = KernelCall(rawValue: 122)
    package static let setfsgid = KernelCall(rawValue: 123)
    package static let capset = KernelCall(rawValue: 126)
    package static let rtSigtimedwait = KernelCall(rawValue: 128)
    package static let rtSigqueueinfo = KernelCall(rawValue: 129)
    package static let sigaltstack = KernelCall(rawValue: 131)
    package static let personality = KernelCall(rawValue: 135)
    package static let setpriority = KernelCall(rawValue: 141)
    package static let mlock = KernelCall(rawValue: 149)
    package static let modifyLdt = KernelCall(rawValue: 154)
    package static let prctl = KernelCall(rawValue: 157)
    package static let archPrctl = KernelCall(rawValue: 158)
    package static let chroot = KernelCall(rawValue: 161)
    package static let mount = KernelCall(rawValue: 165)
    package static let schedSetaffinity = KernelCall(rawValue: 203)
    package static let schedGetaffinity = KernelCall(rawValue: 204)
    package static let ioGetevents = KernelCall(rawValue: 208)
    package static let setTidAddress = KernelCall(rawValue: 218)
    package static let restartSyscall = KernelCall(rawValue: 219)
    package static let semtimedop = KernelCall(rawValue: 220)
    package static let timerCreate = KernelCall(rawValue: 222)
    package static let timerSettime = KernelCall(rawValue: 223)
    package static let timerGettime = KernelCall(rawValue: 224)
    package static let timerDelete = KernelCall(rawValue: 226)
    package static let clockGettime = KernelCall(rawValue: 228)
    package static let clockNanosleep = KernelCall(rawValue: 230)
    package static let epollWait = KernelCall(rawValue: 232)
    package static let epollCtl = KernelCall(rawValue: 233)
    package static let setRobustList = KernelCall(rawValue: 273)
    package static let getRobustList = KernelCall(rawValue: 274)
    package static let epollPwait = KernelCall(rawValue: 281)
    package static let timerfdSettime = KernelCall(rawValue: 286)
    package static let accept4 = KernelCall(rawValue: 288)
    package static let recvmmsg = KernelCall(rawValue: 299)
    package static let dup3 = KernelCall(rawValue: 292)
    package static let exitGroup = KernelCall(rawValue: 231)
    package static let rtTgsigqueueinfo = KernelCall(rawValue: 297)
    package static let prlimit64 = KernelCall(rawValue: 302)
    package static let processVMReadv = KernelCall(rawValue: 310)
    package static let processVMWritev = KernelCall(rawValue: 311)
    package static let kcmp = KernelCall(rawValue: 312)
    package static let schedSetattr = KernelCall(rawValue: 314)
    package static let schedGetattr = KernelCall(rawValue: 315)
    package static let memfdCreate = KernelCall(rawValue: 319)
    package static let seccomp = KernelCall(rawValue: 317)
    package static let userfaultfd = KernelCall(rawValue: 323)
    package static let rseq = KernelCall(rawValue: 334)
    package static let pidfdSendSignal = KernelCall(rawValue: 424)
    package static let pidfdOpen = KernelCall(rawValue: 434)
    package static let clone3 = KernelCall(rawValue: 435)
    package static let closeRange = KernelCall(rawValue: 436)
    package static let pidfdGetfd = KernelCall(rawValue: 438)
    package static let select = KernelCall(rawValue: 23)
    package static let futex = KernelCall(rawValue: 202)
    package static let setMempolicy = KernelCall(rawValue: 238)
    package static let getMempolicy = KernelCall(rawValue: 239)
    package static let ioprioSet = KernelCall(rawValue: 251)
    package static let ioprioGet = KernelCall(rawValue: 252)
    package static let pselect6 = KernelCall(rawValue: 270)
    package static let ppoll = KernelCall(rawValue: 271)
    package static let membarrier = KernelCall(rawValue: 324)
    package static let ioPgetevents = KernelCall(rawValue: 333)
    package static let getpgid = KernelCall(rawValue: 121)
    package static let getsid = KernelCall(rawValue: 124)
    package static let waitid = KernelCall(rawValue: 247)
    package static let epollPwait2 = KernelCall(rawValue: 441)
    package static let sendto = KernelCall(rawValue: 44)
    package static let sendmmsg = KernelCall(rawValue: 307)
    package static let writev = KernelCall(rawValue: 20)
    package static let pwritev2 = KernelCall(rawValue: 328)
    package static let splice = KernelCall(rawValue: 275)
    package static let preadv2 = KernelCall(rawValue: 327)
  #endif
}

/// Makes a call that the C library has no function for, again when it was interrupted.
@discardableResult
func kernelCall(
  _ call: KernelCall, _ name: StaticString, on subject: @autoclosure () -> String,
  _ a: Int = 0, _ b: Int = 0, _ c: Int = 0, _ d: Int = 0, _ e: Int = 0, _ f: Int = 0
) throws(SystemCallError) -> Int {
  while true {
    let value = clinux_call(call.rawValue, a, b, c, d, e, f)
    if value >= 0 || value < -4095 { return value }
    let errno = Errno(rawValue: CInt(-value))
    if errno != .interrupted {
      throw SystemCallError(call: name.description, subject: subject(), errno: errno)
    }
  }
}

/// Lends the address of the elements for a call that reads or writes them.
@discardableResult
func withAddress<Element: BitwiseCopyable, Value>(
  of elements: inout [Element], _ body: (Int) throws(SystemCallError) -> Value
) throws(SystemCallError) -> Value {
  // Through a Result, because withUnsafeMutableBytes is not yet typed in what it throws. Safe: the address
  // is for one call, and elements are of a type that any bits are a value of.
  try unsafe elements.withUnsafeMutableBytes { bytes in
    do throws(SystemCallError) {
      return Swift.Result<Value, SystemCallError>.success(
        try body(Int(bitPattern: bytes.baseAddress)))
    } catch {
      return .failure(error)
    }
  }.get()
}
