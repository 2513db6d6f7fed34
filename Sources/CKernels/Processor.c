// What this processor can do: the only question that is asked, once, before a kernel is chosen.

#include "CKernels.h"

#if defined(__x86_64__)

int ckernels_parity_level(void) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2")) return 0;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("gfni"))
    return 1;
  return 2;
}

int ckernels_checksum_level(void) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("pclmul")) return 0;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("vpclmulqdq")) return 1;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl"))
    return 2;
  return 3;
}

#else

/// An empty file is not a translation unit.
typedef int ckernels_portable_only;

#endif
