#if arch(x86_64)
  // Calls about memory, and about files that are memory.
  extension KernelCall {
    package static let shmget = KernelCall(rawValue: 29)
    package static let shmat = KernelCall(rawValue: 30)
    package static let shmctl = KernelCall(rawValue: 31)
    package static let shmdt = KernelCall(rawValue: 67)
    package static let fchmod = KernelCall(rawValue: 91)
    package static let fchown = KernelCall(rawValue: 93)
    package static let fstatfs = KernelCall(rawValue: 138)
    package static let mlockall = KernelCall(rawValue: 151)
    package static let utimensat = KernelCall(rawValue: 280)
    package static let mlock2 = KernelCall(rawValue: 325)
    package static let mseal = KernelCall(rawValue: 462)
    package static let processMadvise = KernelCall(rawValue: 440)
  }
#endif
