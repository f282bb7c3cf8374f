/* SPDX-License-Identifier: Apache-2.0
 *
 * The inner loop of gemm: a tile of C that stays in registers while k runs. Every sum is the
 * canonical chain, acc = fma(a, b, acc) with k ascending from +0; the vector lanes are columns.
 *
 * The one place with intrinsics: not every compiler keeps a tile of arrays in registers.
 */
#include "gemm.h"

#include "prelude_c.h"
#include "canon.h"

#if defined __AVX512F__
#include <immintrin.h>
typedef __m512 vector;
enum { LANES = 16 };
#define SPREAD(x) _mm512_set1_ps(x)
#define LOAD(at) _mm512_loadu_ps(at)
#define STORE(at, v) _mm512_storeu_ps(at, v)
#define ADD(a, b) _mm512_add_ps(a, b)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#elif defined __AVX2__
#include <immintrin.h>
typedef __m256 vector;
enum { LANES = 8 };
#define SPREAD(x) _mm256_set1_ps(x)
#define LOAD(at) _mm256_loadu_ps(at)
#define STORE(at, v) _mm256_storeu_ps(at, v)
#define ADD(a, b) _mm256_add_ps(a, b)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#elif defined __aarch64__
#include <arm_neon.h>
typedef float32x4_t vector;
enum { LANES = 4 };
#define SPREAD(x) vdupq_n_f32(x)
#define LOAD(at) vld1q_f32(at)
#define STORE(at, v) vst1q_f32(at, v)
#define ADD(a, b) vaddq_f32(a, b)
#define FMA(a, b, c) vfmaq_f32(c, a, b)
#else
/* No fma instruction: the emulation vectorises as a loop. */
typedef struct {
    float lane[8];
} vector;
enum { LANES = 8 };

LS_FN vector spread(float x)
{
    vector v;
    EACH(l, LANES) v.lane[l] = x;
    return v;
}

LS_FN vector load(const float *at)
{
    vector v;
    EACH(l, LANES) v.lane[l] = at[l];
    return v;
}

LS_FN void store(float *at, vector v)
{
    EACH(l, LANES) at[l] = v.lane[l];
}

LS_FN vector add(vector a, vector b)
{
    EACH(l, LANES) a.lane[l] = a.lane[l] + b.lane[l];
    return a;
}

LS_FN vector multiply_add(vector a, vector b, vector c)
{
    EACH(l, LANES) c.lane[l] = LS_FMA(a.lane[l], b.lane[l], c.lane[l]);
    return c;
}
#define SPREAD(x) spread(x)
#define LOAD(at) load(at)
#define STORE(at, v) store(at, v)
#define ADD(a, b) add(a, b)
#define FMA(a, b, c) multiply_add(a, b, c)
#endif

#if defined __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* `vectors` is the width of B in vectors; both counts are constants here. */
LS_FN void multiply(int rows, int vectors, const struct tile *tile)
{
    vector sum[TILE_ROWS][TILE_COLUMNS / LANES];
    const struct matrix a = tile->a;
    const float *b = tile->b;
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int j = 0; j < vectors; j++) {
            sum[i][j] = SPREAD(0.0f);
        }
    }
    for (int64_t p = 0; p < tile->k; p++, b += tile->b_row) {
        UNROLL for (int i = 0; i < rows; i++) {
            vector left = SPREAD(a.at[i * a.row + p * a.column]);
            UNROLL for (int j = 0; j < vectors; j++) {
                sum[i][j] = FMA(left, LOAD(b + j * LANES), sum[i][j]);
            }
        }
    }
    float *c = tile->c;
    if (tile->n < vectors * LANES) {
        float row[TILE_COLUMNS];
        UNROLL for (int i = 0; i < rows; i++, c += tile->c_row) {
            UNROLL for (int j = 0; j < vectors; j++) {
                STORE(row + j * LANES, sum[i][j]);
            }
            for (int64_t j = 0; j < tile->n; j++) {
                c[j] = tile->add ? c[j] + row[j] : row[j];
            }
        }
        return;
    }
    UNROLL for (int i = 0; i < rows; i++, c += tile->c_row) {
        UNROLL for (int j = 0; j < vectors; j++) {
            float *to = c + j * LANES;
            STORE(to, tile->add ? ADD(LOAD(to), sum[i][j]) : sum[i][j]);
        }
    }
}

#define WIDE(rows)                                                                                 \
    static void wide_##rows(const struct tile *tile)                                               \
    {                                                                                              \
        multiply(rows, TILE_COLUMNS / LANES, tile);                                                \
    }
EVERY_ROW_COUNT(WIDE)
#undef WIDE

#define NARROW(rows)                                                                               \
    static void narrow_##rows(const struct tile *tile)                                             \
    {                                                                                              \
        multiply(rows, TILE_COLUMNS / LANES / 2, tile);                                            \
    }
EVERY_ROW_COUNT(NARROW)
#undef NARROW

tile_kernel *const ISA(wide_tiles)[TILE_ROWS + 1] = {
#define ENTRY(rows) [rows] = wide_##rows,
    EVERY_ROW_COUNT(ENTRY)
#undef ENTRY
};

tile_kernel *const ISA(narrow_tiles)[TILE_ROWS + 1] = {
#define ENTRY(rows) [rows] = narrow_##rows,
    EVERY_ROW_COUNT(ENTRY)
#undef ENTRY
};
