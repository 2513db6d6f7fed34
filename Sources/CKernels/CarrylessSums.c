// CLNH, the first step of CLHASH (Lemire and Kaser, "Faster 64-bit universal hashing using carry-less multiplications",
// 2015): the sum over pairs of words of (word + key) * (next word + next key), additions and products those of
// polynomials over the field of two elements. Over random keys two different inputs of one length have the same sum with
// a chance of at most 2^-64.

#include "CKernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define SSE42 __attribute__((target("sse4.2,pclmul")))
#define AVX2 __attribute__((target("sse4.2,pclmul,avx2,vpclmulqdq")))
#define AVX512 __attribute__((target("sse4.2,pclmul,avx2,vpclmulqdq,avx512f,avx512bw,avx512vl")))

SSE42 void ckernels_carryless_sums_sse42(const uint8_t *bytes, const uint8_t *keys, intptr_t byte_count,
                                         uint64_t sums[4]) {
  __m128i first = _mm_setzero_si128(), second = _mm_setzero_si128();
  for (intptr_t i = 0; i < byte_count; i += 16) {
    const __m128i words = _mm_loadu_si128((const __m128i *)(bytes + i));
    const __m128i a = _mm_xor_si128(words, _mm_loadu_si128((const __m128i *)(keys + i)));
    const __m128i b = _mm_xor_si128(words, _mm_loadu_si128((const __m128i *)(keys + byte_count + i)));
    first = _mm_xor_si128(first, _mm_clmulepi64_si128(a, a, 0x10));
    second = _mm_xor_si128(second, _mm_clmulepi64_si128(b, b, 0x10));
  }
  _mm_storeu_si128((__m128i *)sums, first);
  _mm_storeu_si128((__m128i *)(sums + 2), second);
}

AVX2 void ckernels_carryless_sums_avx2(const uint8_t *bytes, const uint8_t *keys, intptr_t byte_count,
                                       uint64_t sums[4]) {
  __m256i first = _mm256_setzero_si256(), second = _mm256_setzero_si256();
  for (intptr_t i = 0; i < byte_count; i += 32) {
    const __m256i words = _mm256_loadu_si256((const __m256i *)(bytes + i));
    const __m256i a = _mm256_xor_si256(words, _mm256_loadu_si256((const __m256i *)(keys + i)));
    const __m256i b = _mm256_xor_si256(words, _mm256_loadu_si256((const __m256i *)(keys + byte_count + i)));
    first = _mm256_xor_si256(first, _mm256_clmulepi64_epi128(a, a, 0x10));
    second = _mm256_xor_si256(second, _mm256_clmulepi64_epi128(b, b, 0x10));
  }
  _mm_storeu_si128((__m128i *)sums, _mm_xor_si128(_mm256_castsi256_si128(first), _mm256_extracti128_si256(first, 1)));
  _mm_storeu_si128((__m128i *)(sums + 2),
                   _mm_xor_si128(_mm256_castsi256_si128(second), _mm256_extracti128_si256(second, 1)));
}

AVX512 static __m128i folded(__m512i sum) {
  const __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
  return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

AVX512 void ckernels_carryless_sums_avx512(const uint8_t *bytes, const uint8_t *keys, intptr_t byte_count,
                                           uint64_t sums[4]) {
  __m512i first = _mm512_setzero_si512(), second = _mm512_setzero_si512();
  for (intptr_t i = 0; i < byte_count; i += 64) {
    const __m512i words = _mm512_loadu_si512(bytes + i);
    const __m512i a = _mm512_xor_si512(words, _mm512_loadu_si512(keys + i));
    const __m512i b = _mm512_xor_si512(words, _mm512_loadu_si512(keys + byte_count + i));
    first = _mm512_xor_si512(first, _mm512_clmulepi64_epi128(a, a, 0x10));
    second = _mm512_xor_si512(second, _mm512_clmulepi64_epi128(b, b, 0x10));
  }
  _mm_storeu_si128((__m128i *)sums, folded(first));
  _mm_storeu_si128((__m128i *)(sums + 2), folded(second));
}

#endif
