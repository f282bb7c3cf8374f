/* SPDX-License-Identifier: Apache-2.0
 *
 * Pooling and the way back: one work-item per element of the result, which gathers (see pool in
 * backend.h).
 *
 *     LS_POOL       0: max, 1: average, 2: take, 3: spread_max, 4: spread_average
 *     LS_POSITIONS  whether max writes positions
 */

typedef struct {
    int in[3], out[3], size[3], stride[3], dilation[3], before[3];
} ls_window;

#define LS_BACK (LS_POOL >= 3)
#define LS_TO(d) (LS_BACK ? w.in[d] : w.out[d])
#define LS_FROM(d) (LS_BACK ? w.out[d] : w.in[d])

/* Where position j of the window at x lies in the image that is read, or -1. */
LS_FN int ls_meet(int x, int j, int d, const ls_window *w)
{
#if LS_BACK
    int at = x + w->before[d] - j * w->dilation[d];
    int o = at / w->stride[d];
    return at < 0 || o * w->stride[d] != at || o >= w->out[d] ? -1 : o;
#else
    int at = x * w->stride[d] - w->before[d] + j * w->dilation[d];
    return at < 0 || at >= w->in[d] ? -1 : at;
#endif
}

/* How many positions of window o lie inside. */
LS_FN float ls_count(int o0, int o1, int o2, const ls_window *w)
{
    int o[3] = {o0, o1, o2}, count = 1;
    for (int d = 0; d < 3; d++) {
        int within = 0;
        for (int j = 0; j < w->size[d]; j++) {
            int i = o[d] * w->stride[d] - w->before[d] + j * w->dilation[d];
            within += i >= 0 && i < w->in[d] ? 1 : 0;
        }
        count *= within;
    }
    return (float)count;
}

__kernel LS_LOCAL(LS_GROUP, 1) void pool(__global const float *src, __global float *dst,
                                         __global int *positions, long n, long channels, int16 sizes,
                                         int4 before)
{
    ls_window w = {{sizes.s0, sizes.s1, sizes.s2}, {sizes.s3, sizes.s4, sizes.s5},
                   {sizes.s6, sizes.s7, sizes.s8}, {sizes.s9, sizes.sa, sizes.sb},
                   {sizes.sc, sizes.sd, sizes.se}, {before.s0, before.s1, before.s2}};
    long item = get_global_id(0);
    if (item >= n)
        return;
    long channel = item % channels, rest = item / channels;
    int x2 = (int)(rest % LS_TO(2));
    rest /= LS_TO(2);
    int x1 = (int)(rest % LS_TO(1));
    rest /= LS_TO(1);
    int x0 = (int)(rest % LS_TO(0));
    long image = rest / LS_TO(0);

    int positions_count = w.size[0] * w.size[1] * w.size[2], best = -1;
    float y = 0.0f;
#if LS_POOL == 2
    int wanted = positions[item];
#endif
    for (int step = 0; step < positions_count; step++) {
        int j = LS_BACK ? positions_count - 1 - step : step; /* so that outputs ascend */
        int i2 = ls_meet(x2, j % w.size[2], 2, &w);
        int i1 = ls_meet(x1, j / w.size[2] % w.size[1], 1, &w);
        int i0 = ls_meet(x0, j / w.size[2] / w.size[1], 0, &w);
        if (i0 < 0 || i1 < 0 || i2 < 0)
            continue;
        long at = (((image * LS_FROM(0) + i0) * LS_FROM(1) + i1) * LS_FROM(2) + i2) * channels + channel;
        float x = src[at];
#if LS_POOL == 0
        if (best < 0 || x > y) {
            y = x;
            best = j;
        }
#elif LS_POOL == 1
        y = y + x;
#elif LS_POOL == 2
        if (j == wanted)
            y = x;
#elif LS_POOL == 3
        y = y + (positions[at] == j ? x : 0.0f);
#else
        y = y + LS_DIV(x, ls_count(i0, i1, i2, &w));
#endif
    }
#if LS_POOL == 1
    y = LS_DIV(y, ls_count(x0, x1, x2, &w));
#endif
    dst[item] = y;
#if LS_POOL == 0 && LS_POSITIONS
    positions[item] = best;
#endif
}
