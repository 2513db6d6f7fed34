// CRC-32C kernels. A CRC is the remainder of a polynomial, so bytes that lie D bits before others may be replaced by any
// polynomial that is congruent to (their polynomial) * x^D: this is folding. The processor's CRC32 instruction takes 8
// bytes every cycle but needs 3 cycles for each, so either three runs are summed at once and combined, or wide vectors
// are folded by carry-less products and the instruction is left the last 16 bytes.
//
// Constants (bits reflected, as the whole CRC is): fold by D bits: x^(D+32) and x^(D-32) mod P, shifted left by one;
// move a register past L bytes: x^(8L-33) mod P, whose product with the register goes through the CRC32 instruction.

#include "CKernels.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define PIECE static inline __attribute__((always_inline))
#define SSE42 __attribute__((target("sse4.2,pclmul")))
#define AVX2 __attribute__((target("sse4.2,pclmul,avx2,vpclmulqdq")))
#define AVX512 __attribute__((target("sse4.2,pclmul,avx2,vpclmulqdq,avx512f,avx512bw,avx512vl")))

enum { block_size = 4096 };

PIECE uint64_t word(const uint8_t *bytes) {
  uint64_t value;
  memcpy(&value, bytes, 8);
  return value;
}

SSE42 uint32_t ckernels_crc32c_word(uint32_t state, uint64_t value) { return (uint32_t)_mm_crc32_u64(state, value); }

PIECE SSE42 uint32_t one_way(uint32_t state, const uint8_t *bytes, intptr_t byte_count) {
  for (; byte_count >= 8; bytes += 8, byte_count -= 8) state = (uint32_t)_mm_crc32_u64(state, word(bytes));
  for (; byte_count > 0; bytes++, byte_count--) state = _mm_crc32_u8(state, *bytes);
  return state;
}

/// `state` moved past the bytes that `shift` stands for, not yet reduced.
PIECE SSE42 uint64_t moved(uint64_t state, uint32_t shift) {
  return (uint64_t)_mm_cvtsi128_si64(
      _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)state), _mm_cvtsi32_si128((int)shift), 0));
}

/// Three runs of `run` bytes each (a multiple of 8); the bytes `ahead` of them are asked for.
PIECE SSE42 uint32_t three_ways(uint32_t state, const uint8_t *bytes, const intptr_t run, uint32_t shift_two,
                                uint32_t shift_one, const intptr_t ahead) {
  uint64_t a = state, b = 0, c = 0;
  for (intptr_t i = 0; i < run; i += 8) {
    if (ahead != 0 && i % 24 == 0) _mm_prefetch((const char *)(bytes + ahead + i / 24 * 64), _MM_HINT_T0);
    a = _mm_crc32_u64(a, word(bytes + i));
    b = _mm_crc32_u64(b, word(bytes + run + i));
    c = _mm_crc32_u64(c, word(bytes + 2 * run + i));
  }
  return (uint32_t)(_mm_crc32_u64(0, moved(a, shift_two) ^ moved(b, shift_one)) ^ c);
}

PIECE SSE42 uint32_t long_run(uint32_t state, const uint8_t *bytes) {
  return three_ways(state, bytes, 1360, 0x5aa1f3cf, 0x3f70cc6f, block_size);
}

SSE42 uint32_t ckernels_crc32c_sse42(uint32_t state, const uint8_t *bytes, intptr_t byte_count) {
  for (; byte_count >= 3 * 1360; bytes += 3 * 1360, byte_count -= 3 * 1360) state = long_run(state, bytes);
  for (; byte_count >= 3 * 168; bytes += 3 * 168, byte_count -= 3 * 168)
    state = three_ways(state, bytes, 168, 0xa60ce07b, 0x1b3d8f29, 0);
  return one_way(state, bytes, byte_count);
}

SSE42 void ckernels_crc32c_blocks_sse42(uint32_t prefix, uint64_t first_block, const uint8_t *bytes,
                                        intptr_t block_count, uint32_t *registers) {
  for (intptr_t i = 0; i < block_count; i++, bytes += block_size) {
    const uint32_t state = (uint32_t)_mm_crc32_u64(prefix, first_block + (uint64_t)i);
    registers[i] = one_way(long_run(state, bytes), bytes + 3 * 1360, block_size - 3 * 1360);
  }
}

// Folding

static const uint64_t fold_256[2] = {0xdcb17aa4, 0xb9e02b86};
static const uint64_t fold_192[2] = {0xa87ab8a8, 0xab7aff2a};
static const uint64_t fold_128[2] = {0x6992cea2, 0x0d3b6092};
static const uint64_t fold_96[2] = {0x1c1733996, 0x102f9b8a2};
static const uint64_t fold_64[2] = {0x740eef02, 0x9e4addf8};
static const uint64_t fold_48[2] = {0x1c291d04, 0x1d82c63da};
static const uint64_t fold_32[2] = {0x1384aa63a, 0xba4fc28e};
static const uint64_t fold_16[2] = {0xf20c0dfe, 0x14cd00bd6};

PIECE SSE42 __m128i fold(__m128i x, const uint64_t by[2]) {
  const __m128i constants = _mm_loadu_si128((const __m128i *)by);
  return _mm_xor_si128(_mm_clmulepi64_si128(x, constants, 0x00), _mm_clmulepi64_si128(x, constants, 0x11));
}

PIECE SSE42 uint32_t reduced(__m128i x) {
  const uint64_t low = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(x));
  return (uint32_t)_mm_crc32_u64(low, (uint64_t)_mm_extract_epi64(x, 1));
}

PIECE AVX2 __m256i fold_256_bits(__m256i x, const uint64_t by[2], __m256i next) {
  const __m256i constants = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)by));
  return _mm256_xor_si256(next, _mm256_xor_si256(_mm256_clmulepi64_epi128(x, constants, 0x00),
                                                 _mm256_clmulepi64_epi128(x, constants, 0x11)));
}

/// At least 128 bytes, a multiple of 32. `ahead` bytes further on are asked for.
PIECE AVX2 uint32_t folded_avx2(uint32_t state, const uint8_t *bytes, intptr_t byte_count, const intptr_t ahead) {
  const __m256i *vector = (const __m256i *)bytes;
  __m256i a = _mm256_loadu_si256(vector), b = _mm256_loadu_si256(vector + 1), c = _mm256_loadu_si256(vector + 2),
          d = _mm256_loadu_si256(vector + 3);
  a = _mm256_xor_si256(a, _mm256_zextsi128_si256(_mm_cvtsi32_si128((int)state)));
  intptr_t i = 128;
  for (; i + 128 <= byte_count; i += 128) {
    vector = (const __m256i *)(bytes + i);
    _mm_prefetch((const char *)(bytes + i + ahead), _MM_HINT_T0);
    _mm_prefetch((const char *)(bytes + i + ahead + 64), _MM_HINT_T0);
    a = fold_256_bits(a, fold_128, _mm256_loadu_si256(vector));
    b = fold_256_bits(b, fold_128, _mm256_loadu_si256(vector + 1));
    c = fold_256_bits(c, fold_128, _mm256_loadu_si256(vector + 2));
    d = fold_256_bits(d, fold_128, _mm256_loadu_si256(vector + 3));
  }
  d = fold_256_bits(a, fold_96, fold_256_bits(b, fold_64, fold_256_bits(c, fold_32, d)));
  for (; i < byte_count; i += 32) d = fold_256_bits(d, fold_32, _mm256_loadu_si256((const __m256i *)(bytes + i)));
  return reduced(_mm_xor_si128(fold(_mm256_castsi256_si128(d), fold_16), _mm256_extracti128_si256(d, 1)));
}

AVX2 uint32_t ckernels_crc32c_avx2(uint32_t state, const uint8_t *bytes, intptr_t byte_count) {
  if (byte_count < 256) return one_way(state, bytes, byte_count);
  const intptr_t wide = byte_count & ~(intptr_t)31;
  return one_way(folded_avx2(state, bytes, wide, 2048), bytes + wide, byte_count - wide);
}

AVX2 void ckernels_crc32c_blocks_avx2(uint32_t prefix, uint64_t first_block, const uint8_t *bytes,
                                      intptr_t block_count, uint32_t *registers) {
  for (intptr_t i = 0; i < block_count; i++, bytes += block_size)
    registers[i] =
        folded_avx2((uint32_t)_mm_crc32_u64(prefix, first_block + (uint64_t)i), bytes, block_size, 2048);
}

PIECE AVX512 __m512i fold_512_bits(__m512i x, const uint64_t by[2], __m512i next) {
  const __m512i constants = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)by));
  return _mm512_ternarylogic_epi64(next, _mm512_clmulepi64_epi128(x, constants, 0x00),
                                   _mm512_clmulepi64_epi128(x, constants, 0x11), 0x96);
}

/// At least 256 bytes, a multiple of 64. `ahead` bytes further on are asked for.
PIECE AVX512 uint32_t folded_avx512(uint32_t state, const uint8_t *bytes, intptr_t byte_count, const intptr_t ahead) {
  __m512i a = _mm512_loadu_si512(bytes), b = _mm512_loadu_si512(bytes + 64), c = _mm512_loadu_si512(bytes + 128),
          d = _mm512_loadu_si512(bytes + 192);
  a = _mm512_xor_si512(a, _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)state)));
  intptr_t i = 256;
  for (; i + 256 <= byte_count; i += 256) {
    for (int line = 0; line < 256; line += 64)
      _mm_prefetch((const char *)(bytes + i + ahead + line), _MM_HINT_T0);
    a = fold_512_bits(a, fold_256, _mm512_loadu_si512(bytes + i));
    b = fold_512_bits(b, fold_256, _mm512_loadu_si512(bytes + i + 64));
    c = fold_512_bits(c, fold_256, _mm512_loadu_si512(bytes + i + 128));
    d = fold_512_bits(d, fold_256, _mm512_loadu_si512(bytes + i + 192));
  }
  d = fold_512_bits(a, fold_192, fold_512_bits(b, fold_128, fold_512_bits(c, fold_64, d)));
  for (; i < byte_count; i += 64) d = fold_512_bits(d, fold_64, _mm512_loadu_si512(bytes + i));
  const __m128i low = _mm_xor_si128(fold(_mm512_castsi512_si128(d), fold_48),
                                    fold(_mm512_extracti32x4_epi32(d, 1), fold_32));
  const __m128i high = _mm_xor_si128(fold(_mm512_extracti32x4_epi32(d, 2), fold_16), _mm512_extracti32x4_epi32(d, 3));
  return reduced(_mm_xor_si128(low, high));
}

AVX512 uint32_t ckernels_crc32c_avx512(uint32_t state, const uint8_t *bytes, intptr_t byte_count) {
  if (byte_count < 256) return one_way(state, bytes, byte_count);
  const intptr_t wide = byte_count & ~(intptr_t)63;
  return one_way(folded_avx512(state, bytes, wide, 2048), bytes + wide, byte_count - wide);
}

AVX512 void ckernels_crc32c_blocks_avx512(uint32_t prefix, uint64_t first_block, const uint8_t *bytes,
                                          intptr_t block_count, uint32_t *registers) {
  for (intptr_t i = 0; i < block_count; i++, bytes += block_size)
    registers[i] =
        folded_avx512((uint32_t)_mm_crc32_u64(prefix, first_block + (uint64_t)i), bytes, block_size, 2048);
}

#endif
