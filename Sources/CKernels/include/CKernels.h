// The vector kernels for which Swift has no word: byte shuffles, affine maps of bits, carry-less products, the CRC32
// instruction, and 256- and 512-bit vectors in a program that must start on every x86-64. Each function names the level
// of the processor it needs; the caller asks for the level once. On other processors this header is empty and the
// portable Swift kernels do the work. Nothing here decides, allocates or remembers.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)

/// 0: only the portable kernels; 1: AVX2; 2: AVX-512 (F, BW, VL) and GFNI.
int ckernels_parity_level(void);

/// 0: only the portable kernel; 1: SSE4.2 and PCLMULQDQ; 2: also AVX2 and VPCLMULQDQ; 3: also AVX-512 (F, BW, VL).
int ckernels_checksum_level(void);

// Parity. All columns lie at byte offsets of `base`; `byte_count` is a multiple of 64; no alignment is asked for.
// With `accumulating` the outputs are added to (^=), else they are overwritten.

/// p = the sum of the sources; q by Horner's rule: before source s is added, q is doubled doublings[s] times, and
/// doublings[source_count] times at the end. Sources are visited in the order `order`.
void ckernels_pq_avx2(uint8_t *base, const intptr_t *sources, const uint8_t *order, const uint8_t *doublings,
                      intptr_t source_count, intptr_t p, intptr_t q, intptr_t byte_count, bool accumulating);

/// outputs[k] = the sum over s of coefficient[s][k] * sources[s], for up to 4 outputs. `tables` holds for each s and
/// each k the 32 bytes c * 0...15 and c * (0...15 << 4); rows of k are `stride` tables apart.
void ckernels_general_avx2(uint8_t *base, const intptr_t *sources, intptr_t source_count, const uint8_t *tables,
                           intptr_t stride, const intptr_t *outputs, intptr_t output_count, intptr_t byte_count,
                           bool accumulating);

/// The same for up to 6 outputs; `matrices` holds for each s and k the 8x8 bit matrix of the multiplication, as
/// GF2P8AFFINEQB wants it. With `first_is_sum` the coefficients of output 0 are all 1 and are not read.
void ckernels_general_gfni(uint8_t *base, const intptr_t *sources, intptr_t source_count, const uint64_t *matrices,
                           intptr_t stride, const intptr_t *outputs, intptr_t output_count, intptr_t byte_count,
                           bool accumulating, bool first_is_sum);

// CRC-32C. `state` is the raw register: all ones at the start, inverted at the end, both by the caller.

uint32_t ckernels_crc32c_word(uint32_t state, uint64_t word);
uint32_t ckernels_crc32c_sse42(uint32_t state, const uint8_t *bytes, intptr_t byte_count);
uint32_t ckernels_crc32c_avx2(uint32_t state, const uint8_t *bytes, intptr_t byte_count);
uint32_t ckernels_crc32c_avx512(uint32_t state, const uint8_t *bytes, intptr_t byte_count);

/// The raw registers of consecutive whole blocks of 4096 bytes: registers[i] starts from `prefix`, is fed the number
/// first_block + i as 8 little-endian bytes, then the block.
void ckernels_crc32c_blocks_sse42(uint32_t prefix, uint64_t first_block, const uint8_t *bytes, intptr_t block_count,
                                  uint32_t *registers);
void ckernels_crc32c_blocks_avx2(uint32_t prefix, uint64_t first_block, const uint8_t *bytes, intptr_t block_count,
                                 uint32_t *registers);
void ckernels_crc32c_blocks_avx512(uint32_t prefix, uint64_t first_block, const uint8_t *bytes, intptr_t block_count,
                                   uint32_t *registers);

// Sums of products for universal hashing: CLNH with the first `byte_count` bytes of the keys, and with as many that come
// after those. Each sum has two words, the low one first; `byte_count` is a multiple of 64.
void ckernels_carryless_sums_sse42(const uint8_t *bytes, const uint8_t *keys, intptr_t byte_count, uint64_t sums[4]);
void ckernels_carryless_sums_avx2(const uint8_t *bytes, const uint8_t *keys, intptr_t byte_count, uint64_t sums[4]);
void ckernels_carryless_sums_avx512(const uint8_t *bytes, const uint8_t *keys, intptr_t byte_count, uint64_t sums[4]);

#endif
