// Parity kernels. Every kernel takes a piece of 64 to 256 bytes of each column, keeps the sums of all outputs of that
// piece in registers while it walks over the sources, and stores each output once: a source byte is loaded once however
// many outputs there are. The stores are ordinary ones, since the parity is written out right afterwards, from cache.

#include "CKernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define PIECE static inline __attribute__((always_inline))
#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,gfni")))

// Sum and weighted sum, by doubling: x -> 2x is a shift of each byte and, where the top bit fell out, 0x1d.

PIECE AVX2 __m256i doubled_avx2(__m256i x) {
  const __m256i carry = _mm256_cmpgt_epi8(_mm256_setzero_si256(), x);
  return _mm256_xor_si256(_mm256_add_epi8(x, x), _mm256_and_si256(carry, _mm256_set1_epi8(0x1d)));
}

PIECE AVX2 void pq_piece_avx2(uint8_t *base, const intptr_t *sources, const uint8_t *order, const uint8_t *doublings,
                              intptr_t source_count, uint8_t *p, uint8_t *q, bool accumulating, const int width) {
  __m256i sum[4], weighted[4];
  for (int v = 0; v < width; v++) sum[v] = weighted[v] = _mm256_setzero_si256();
  for (intptr_t s = 0; s < source_count; s++) {
    for (int d = doublings[s]; d > 0; d--)
      for (int v = 0; v < width; v++) weighted[v] = doubled_avx2(weighted[v]);
    const __m256i *source = (const __m256i *)(base + sources[order[s]]);
    for (int v = 0; v < width; v++) {
      const __m256i data = _mm256_loadu_si256(source + v);
      sum[v] = _mm256_xor_si256(sum[v], data);
      weighted[v] = _mm256_xor_si256(weighted[v], data);
    }
  }
  for (int d = doublings[source_count]; d > 0; d--)
    for (int v = 0; v < width; v++) weighted[v] = doubled_avx2(weighted[v]);
  for (int v = 0; v < width; v++) {
    if (accumulating) {
      sum[v] = _mm256_xor_si256(sum[v], _mm256_loadu_si256((const __m256i *)p + v));
      weighted[v] = _mm256_xor_si256(weighted[v], _mm256_loadu_si256((const __m256i *)q + v));
    }
    _mm256_storeu_si256((__m256i *)p + v, sum[v]);
    _mm256_storeu_si256((__m256i *)q + v, weighted[v]);
  }
}

AVX2 void ckernels_pq_avx2(uint8_t *base, const intptr_t *sources, const uint8_t *order, const uint8_t *doublings,
                           intptr_t source_count, intptr_t p, intptr_t q, intptr_t byte_count, bool accumulating) {
  intptr_t i = 0;
  for (; i + 128 <= byte_count; i += 128)
    pq_piece_avx2(base + i, sources, order, doublings, source_count, base + i + p, base + i + q, accumulating, 4);
  if (i < byte_count)
    pq_piece_avx2(base + i, sources, order, doublings, source_count, base + i + p, base + i + q, accumulating, 2);
}

// Any coefficients, by byte shuffle: a product is looked up as the sum of the products of the two halves of the byte.

PIECE AVX2 void general_piece_avx2(uint8_t *base, const intptr_t *sources, intptr_t source_count, const uint8_t *tables,
                                   intptr_t stride, const intptr_t *outputs, bool accumulating, const int output_count) {
  enum { width = 2 };
  const __m256i low_half = _mm256_set1_epi8(0x0f);
  __m256i sum[4][width];
  for (int k = 0; k < output_count; k++)
    for (int v = 0; v < width; v++)
      sum[k][v] = accumulating ? _mm256_loadu_si256((const __m256i *)(base + outputs[k]) + v) : _mm256_setzero_si256();
  for (intptr_t s = 0; s < source_count; s++, tables += 32 * stride) {
    const __m256i *source = (const __m256i *)(base + sources[s]);
    __m256i low[width], high[width];
    for (int v = 0; v < width; v++) {
      const __m256i data = _mm256_loadu_si256(source + v);
      low[v] = _mm256_and_si256(data, low_half);
      high[v] = _mm256_and_si256(_mm256_srli_epi64(data, 4), low_half);
    }
    for (int k = 0; k < output_count; k++) {
      const __m128i *table = (const __m128i *)(tables + 32 * k);
      const __m256i of_low = _mm256_broadcastsi128_si256(_mm_loadu_si128(table));
      const __m256i of_high = _mm256_broadcastsi128_si256(_mm_loadu_si128(table + 1));
      for (int v = 0; v < width; v++)
        sum[k][v] = _mm256_xor_si256(sum[k][v], _mm256_xor_si256(_mm256_shuffle_epi8(of_low, low[v]),
                                                                 _mm256_shuffle_epi8(of_high, high[v])));
    }
  }
  for (int k = 0; k < output_count; k++)
    for (int v = 0; v < width; v++) _mm256_storeu_si256((__m256i *)(base + outputs[k]) + v, sum[k][v]);
}

AVX2 void ckernels_general_avx2(uint8_t *base, const intptr_t *sources, intptr_t source_count, const uint8_t *tables,
                                intptr_t stride, const intptr_t *outputs, intptr_t output_count, intptr_t byte_count,
                                bool accumulating) {
#define PIECES(count)                                                                                       \
  case count:                                                                                               \
    for (intptr_t i = 0; i < byte_count; i += 64)                                                           \
      general_piece_avx2(base + i, sources, source_count, tables, stride, outputs, accumulating, count);    \
    break;
  switch (output_count) { PIECES(1) PIECES(2) PIECES(3) PIECES(4) }
#undef PIECES
}

// Any coefficients, by affine maps of the bits of each byte: multiplication by a constant is linear over the bits.

PIECE AVX512 void general_piece_gfni(uint8_t *base, const intptr_t *sources, intptr_t source_count,
                                     const uint64_t *matrices, intptr_t stride, const intptr_t *outputs,
                                     bool accumulating, const bool first_is_sum, const int output_count,
                                     const int width) {
  __m512i sum[6][4];
  for (int k = 0; k < output_count; k++)
    for (int v = 0; v < width; v++)
      sum[k][v] = accumulating ? _mm512_loadu_si512(base + outputs[k] + 64 * v) : _mm512_setzero_si512();
  for (intptr_t s = 0; s < source_count; s++, matrices += stride) {
    const uint8_t *source = base + sources[s];
    __m512i data[4];
    for (int v = 0; v < width; v++) data[v] = _mm512_loadu_si512(source + 64 * v);
    for (int k = 0; k < output_count; k++) {
      if (k == 0 && first_is_sum) {
        for (int v = 0; v < width; v++) sum[k][v] = _mm512_xor_si512(sum[k][v], data[v]);
        continue;
      }
      const __m512i matrix = _mm512_set1_epi64((int64_t)matrices[k]);
      for (int v = 0; v < width; v++)
        sum[k][v] = _mm512_xor_si512(sum[k][v], _mm512_gf2p8affine_epi64_epi8(data[v], matrix, 0));
    }
  }
  for (int k = 0; k < output_count; k++)
    for (int v = 0; v < width; v++) _mm512_storeu_si512(base + outputs[k] + 64 * v, sum[k][v]);
}

PIECE AVX512 void general_gfni(uint8_t *base, const intptr_t *sources, intptr_t source_count, const uint64_t *matrices,
                               intptr_t stride, const intptr_t *outputs, intptr_t byte_count, bool accumulating,
                               const bool first_is_sum, const int output_count, const int width) {
  intptr_t i = 0;
  for (; i + 64 * width <= byte_count; i += 64 * width)
    general_piece_gfni(base + i, sources, source_count, matrices, stride, outputs, accumulating, first_is_sum,
                       output_count, width);
  for (; i < byte_count; i += 64)
    general_piece_gfni(base + i, sources, source_count, matrices, stride, outputs, accumulating, first_is_sum,
                       output_count, 1);
}

AVX512 void ckernels_general_gfni(uint8_t *base, const intptr_t *sources, intptr_t source_count,
                                  const uint64_t *matrices, intptr_t stride, const intptr_t *outputs,
                                  intptr_t output_count, intptr_t byte_count, bool accumulating, bool first_is_sum) {
#define PIECES(count, width)                                                                                       \
  case count:                                                                                                      \
    if (first_is_sum)                                                                                              \
      general_gfni(base, sources, source_count, matrices, stride, outputs, byte_count, accumulating, true, count,  \
                   width);                                                                                         \
    else                                                                                                           \
      general_gfni(base, sources, source_count, matrices, stride, outputs, byte_count, accumulating, false, count, \
                   width);                                                                                         \
    break;
  switch (output_count) { PIECES(1, 4) PIECES(2, 4) PIECES(3, 4) PIECES(4, 4) PIECES(5, 2) PIECES(6, 2) }
#undef PIECES
}

#endif
