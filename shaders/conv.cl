/* SPDX-License-Identifier: Apache-2.0
 *
 * The three passes of a convolution as products of matrices, one per group (see conv in backend.h):
 * where gemm.cl, read after this file, finds A, the patches of an image, and B.
 *
 *     LS_PASS  0: forward, 1: input gradient, 2: kernel gradient
 */

typedef struct {
    int in[3], out[3], size[3], stride[3], dilation[3], before[3];
    int groups, channels, filters;
} ls_window;

#define LS_KERNEL conv
#define LS_KERNEL_PARAMETERS , int16 sizes, int8 steps
#define LS_MORE_PARAMETERS , const ls_window *w
#define LS_MORE_ARGUMENTS , &window

/* What the patches are of: its sizes, its channels in a group; and where the windows stand. */
#define LS_FROM(d) (LS_PASS == 1 ? w->out[d] : w->in[d])
#define LS_AT(d) (LS_PASS == 1 ? w->in[d] : w->out[d])
#define LS_CHANNELS (LS_PASS == 1 ? w->filters : w->channels)

LS_FN ls_window ls_unpack(int16 sizes, int8 steps)
{
    ls_window w = {{sizes.s0, sizes.s1, sizes.s2}, {sizes.s3, sizes.s4, sizes.s5},
                   {sizes.s6, sizes.s7, sizes.s8}, {sizes.s9, sizes.sa, sizes.sb},
                   {sizes.sc, sizes.sd, sizes.se}, {steps.s0, steps.s1, steps.s2},
                   steps.s3, steps.s4, steps.s5};
    return w;
}

/* The strides of groups: of images, of kernels (whose columns are those of the output), of results. */
#define LS_START                                                                                   \
    ls_window window = ls_unpack(sizes, steps);                                                    \
    const ls_window *w = &window;                                                                  \
    a = &a[batch * LS_CHANNELS];                                                                   \
    b = &b[batch * w->filters];                                                                    \
    c = &c[batch * n];                                                                             \
    bias = &bias[LS_BIAS ? batch * n : 0];
#define LS_C_ROW (n * w->groups)

/* B is a matrix whose rows are rows of the output or of the kernel; for the input gradient (j, channels,
 * filters) is read as (j filters, channels). */
#define LS_B_ROW ((long)w->groups * w->filters)
#if LS_PASS == 1
#define LS_TRANS_B 1
#define LS_B_LINES (w->filters % 16 == 0)
#define LS_B(kk, column)                                                                           \
    b[((kk) / w->filters * w->channels + (column)) * LS_B_ROW + (kk) % w->filters]
#else
#define LS_TRANS_B 0
#define LS_B_LINES 1
#define LS_B(kk, column) b[(kk) * LS_B_ROW + (column)]
#endif

/* The coordinate that position j of the window at x meets, or -1. */
LS_FN int ls_meet(int x, int j, int d, const ls_window *w)
{
#if LS_PASS == 1
    int at = x + w->before[d] - j * w->dilation[d];
    int o = w->stride[d] == 1 ? at : at / w->stride[d];
    return at < 0 || o * w->stride[d] != at || o >= w->out[d] ? -1 : o;
#else
    int at = x * w->stride[d] - w->before[d] + j * w->dilation[d];
    return at < 0 || at >= w->in[d] ? -1 : at;
#endif
}

/* Window number `index`: its image and its place; position number `index` in a window. */
LS_FN long ls_place(long index, int *x, const ls_window *w)
{
    for (int d = 2; d >= 0; d--) {
        x[d] = (int)(index % LS_AT(d));
        index /= LS_AT(d);
    }
    return index;
}

LS_FN void ls_position(int index, int *j, const ls_window *w)
{
    j[2] = index % w->size[2];
    j[1] = index / w->size[2] % w->size[1];
    j[0] = index / w->size[2] / w->size[1];
}

/* Where the channels of position j of a window lie, or -1 if outside. */
LS_FN long ls_pixel(long image, const int *x, const int *j, const ls_window *w)
{
    int i0 = ls_meet(x[0], j[0], 0, w), i1 = ls_meet(x[1], j[1], 1, w), i2 = ls_meet(x[2], j[2], 2, w);
    if (i0 < 0 || i1 < 0 || i2 < 0)
        return -1;
    long at = ((image * LS_FROM(0) + i0) * LS_FROM(1) + i1) * LS_FROM(2) + i2;
    return at * w->groups * LS_CHANNELS;
}

LS_FN float ls_element(__global const float *images, long index, int element, const ls_window *w)
{
    int x[3], j[3];
    long image = ls_place(index, x, w);
    ls_position(element / LS_CHANNELS, j, w);
    long at = ls_pixel(image, x, j, w);
    return at < 0 ? 0.0f : images[at + element % LS_CHANNELS];
}

#if LS_PASS == 2
#define LS_TRANS_A 1
#define LS_A(row, kk) ls_element(a, kk, (int)(row), w)
#else
#define LS_TRANS_A 0
#define LS_A(row, kk) ls_element(a, row, (int)(kk), w)
#endif

#if LS_GEMM_WIDE

/* A wide tile's part of A lies in local memory: as (ROWS, block of k), or (block of k, ROWS). */
#define LS_LEFT __local const float *
#define LS_LEFT_ROW(r) &a[LS_MIN(r, rows - 1) * (LS_PASS == 2 ? 1 : 1024)]
#define LS_LEFT_STEP (LS_PASS == 2 ? ROWS : 1)

LS_FN void ls_copy(__local float *to, __global const float *from, int n)
{
    int i = 0;
    for (; i + 16 <= n; i += 16)
        vstore16(vload16(0, from + i), 0, to + i);
    for (; i < n; i++)
        to[i] = from[i];
}

LS_FN void ls_clear(__local float *to, int n)
{
    int i = 0;
    for (; i + 16 <= n; i += 16)
        vstore16((float16)(0.0f), 0, to + i);
    for (; i < n; i++)
        to[i] = 0.0f;
}

/* Where the line of pixels begins that a window at x sees at positions j of the first two dimensions;
 * -1 if outside. */
LS_FN long ls_line(long image, const int *x, const int *j, const ls_window *w)
{
    int i0 = ls_meet(x[0], j[0], 0, w), i1 = ls_meet(x[1], j[1], 1, w);
    if (i0 < 0 || i1 < 0)
        return -1;
    return ((image * LS_FROM(0) + i0) * LS_FROM(1) + i1) * LS_FROM(2) * w->groups * LS_CHANNELS;
}

#if LS_PASS == 2

/* One after the other, windows start, start + 1, ...: what they see of the channels of one position,
 * for `together` rows, 1 or ROWS. */
LS_FN void ls_column(__global const float *a, __local float *patch, int row, int together, long start,
                     int length, const ls_window *w)
{
    int x[3], j[3];
    long image = ls_place(start, x, w);
    ls_position(row / LS_CHANNELS, j, w);
    a = &a[row % LS_CHANNELS];
    while (length > 0) {
        int count = LS_MIN(LS_AT(2) - x[2], length);
        long line = ls_line(image, x, j, w);
        for (int l = 0; l < count; l++, patch += ROWS) {
            int i = line < 0 ? -1 : ls_meet(x[2] + l, j[2], 2, w);
            long at = line + (long)i * w->groups * w->channels;
            if (together == 8)
                vstore8(i < 0 ? (float8)(0.0f) : vload8(0, a + at), 0, patch);
            else
                *patch = i < 0 ? 0.0f : a[at];
        }
        length -= count;
        x[2] = 0;
        for (int d = 1; d >= 0 && ++x[d] == LS_AT(d); d--) {
            x[d] = 0;
            image += d == 0;
        }
    }
}

LS_FN void ls_gather(__global const float *a, __local float *patch, long row, int rows, long start,
                     int length, const ls_window *w)
{
    int first = (int)row;
    if (rows == 8 && first % LS_CHANNELS + rows <= LS_CHANNELS)
        ls_column(a, patch, first, 8, start, length, w);
    else
        for (int r = 0; r < rows; r++)
            ls_column(a, patch + r, first + r, 1, start, length, w);
}

#else

LS_FN void ls_gather(__global const float *a, __local float *patch, long row, int rows, long start,
                     int length, const ls_window *w)
{
    for (int r = 0; r < rows; r++, patch += 1024) {
        int x[3], j[3], channel = (int)(start % LS_CHANNELS);
        long image = ls_place(row + r, x, w);
        ls_position((int)(start / LS_CHANNELS), j, w);
        for (int i = 0; i < length;) {
            long line = ls_line(image, x, j, w);
            for (; j[2] < w->size[2] && i < length; j[2]++) {
                int count = LS_MIN(LS_CHANNELS - channel, length - i);
                int at = line < 0 ? -1 : ls_meet(x[2], j[2], 2, w);
                if (at < 0)
                    ls_clear(patch + i, count);
                else
                    ls_copy(patch + i, &a[line + (long)at * w->groups * LS_CHANNELS + channel], count);
                i += count;
                channel = 0;
            }
            j[2] = 0;
            if (++j[1] == w->size[1]) {
                j[1] = 0;
                j[0]++;
            }
        }
    }
}

#endif
#endif
