import CKernels

/// The kernels for columns, slowest first. The processor is asked once; tests take each level that it has.
package enum KernelLevel: Int, CaseIterable, Sendable {
  /// Swift, over vectors of 64-bit words; on every processor.
  case portable
  /// Byte shuffles of 32 bytes.
  case avx2
  /// Affine maps of 64 bytes.
  case avx512

  /// The best one that this processor can run.
  package static let best: KernelLevel = {
    #if arch(x86_64)
      KernelLevel(rawValue: Int(ckernels_parity_level())) ?? .portable
    #else
      .portable
    #endif
  }()

  /// All that this processor can run.
  package static var available: [KernelLevel] { allCases.filter { $0.rawValue <= best.rawValue } }
}
