/* SPDX-License-Identifier: Apache-2.0
 *
 * softmax, log_softmax and the cross-entropy of integer labels over rows of r elements, fused. The
 * bits are those of the composition: m = max x, e = canon_exp(x - m), s = REDUCE sum of e (canon rule
 * 9: blocks of 4096, 64 lanes, a tree), e / s. Up to 4096 * 64 elements: then the block results are one
 * block of 64, which the tree alone adds.
 *
 *     LS_SOFTMAX_KIND  0 softmax, 1 log_softmax, 2 loss, 3 loss and probabilities
 *     LS_SOFTMAX_WIDE  1: one work-item per row; 0: a group of 64, one per lane
 */

#define BLOCK 4096
#define LANES 64

#if LS_SOFTMAX_KIND < 2
#define PARAMETERS __global const float *src, __global float *dst, long r
#else
#define PARAMETERS                                                                                 \
    __global const float *src, __global float *dst, long r, __global const int *labels,            \
        __global float *loss, __global volatile int *faults, int call
#endif

/* What is written at a place, from e = exp(x - m), the sum s and its logarithm. */
#if LS_SOFTMAX_KIND == 1
#define RESULT(x, m, s, log_s) (((x) - (m)) - (log_s))
#else
#define RESULT(x, m, s, log_s) LS_DIV(canon_exp((x) - (m)), s)
#endif

LS_FN void ls_tree(float *lanes)
{
    for (int width = 32; width > 0; width >>= 1)
        for (int l = 0; l < width; l++)
            lanes[l] = lanes[l] + lanes[l + width];
}

#if LS_SOFTMAX_KIND >= 2
LS_FN void ls_put_loss(PARAMETERS, long row, float m, float log_s)
{
    int label = labels[row];
    float value = 0.0f;
    if (label >= 0 && label < r)
        value = log_s - (src[row * r + label] - m);
    else
        ls_note_fault(faults, call, 2, (int)r, (int)row, label);
    loss[row] = value;
}
#endif

#if LS_SOFTMAX_WIDE

__kernel LS_LOCAL(1, 1) void softmax(PARAMETERS)
{
    long row = get_group_id(0);
    __global const float *x = src + row * r;

    float m = x[0];
    int i = 0;
    if (r >= 16) {
        float16 most = m;
        float parts[16];
        for (; i + 16 <= r; i += 16) {
            float16 v = vload16(0, x + i);
            most = select(most, v, v > most);
        }
        vstore16(most, 0, parts);
        for (int l = 0; l < 16; l++)
            m = parts[l] > m ? parts[l] : m;
    }
    for (; i < r; i++)
        m = x[i] > m ? x[i] : m;

    float blocks[LANES];
    int count = 0;
    for (long start = 0; start < r; start += BLOCK) {
        long end = LS_MIN(r, start + BLOCK);
        float lanes[LANES];
        for (int l = 0; l < LANES; l++)
            lanes[l] = 0.0f;
        long at = start;
        for (; at + LANES <= end; at += LANES)
            for (int l = 0; l < LANES; l++)
                lanes[l] = lanes[l] + canon_exp(x[at + l] - m);
        for (int l = 0; at + l < end; l++)
            lanes[l] = lanes[l] + canon_exp(x[at + l] - m);
        ls_tree(lanes);
        blocks[count++] = lanes[0];
    }
    float s = blocks[0];
    if (count > 1) {
        for (int l = count; l < LANES; l++)
            blocks[l] = 0.0f;
        ls_tree(blocks);
        s = blocks[0];
    }
#if LS_SOFTMAX_KIND > 0
    float log_s = canon_log(s);
#else
    float log_s = 0.0f;
#endif
#if LS_SOFTMAX_KIND >= 2
    ls_put_loss(src, dst, r, labels, loss, faults, call, row, m, log_s);
#endif
#if LS_SOFTMAX_KIND != 2
    __global float *y = dst + row * r;
    for (long j = 0; j < r; j++)
        y[j] = RESULT(x[j], m, s, log_s);
#endif
}

#else

__kernel LS_LOCAL(64, 1) void softmax(PARAMETERS)
{
    __local float lanes[LANES];
    __local float blocks[LANES];
    int lane = get_local_id(0);
    long row = get_group_id(0);
    __global const float *x = src + row * r;

    float m = x[0];
    for (long i = lane; i < r; i += LANES)
        m = x[i] > m ? x[i] : m;
    lanes[lane] = m;
    for (int width = 32; width > 0; width >>= 1) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane < width)
            lanes[lane] = lanes[lane + width] > lanes[lane] ? lanes[lane + width] : lanes[lane];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    m = lanes[0];
    blocks[lane] = 0.0f;

    int count = 0;
    for (long start = 0; start < r; start += BLOCK) {
        long end = LS_MIN(r, start + BLOCK);
        float sum = 0.0f;
        for (long i = start + lane; i < end; i += LANES)
            sum = sum + canon_exp(x[i] - m);
        barrier(CLK_LOCAL_MEM_FENCE);
        lanes[lane] = sum;
        for (int width = 32; width > 0; width >>= 1) {
            barrier(CLK_LOCAL_MEM_FENCE);
            if (lane < width)
                lanes[lane] = lanes[lane] + lanes[lane + width];
        }
        if (lane == 0)
            blocks[count] = lanes[0];
        count++;
    }
    if (count > 1)
        for (int width = 32; width > 0; width >>= 1) {
            barrier(CLK_LOCAL_MEM_FENCE);
            if (lane < width)
                blocks[lane] = blocks[lane] + blocks[lane + width];
        }
    barrier(CLK_LOCAL_MEM_FENCE);
    float s = blocks[0];
#if LS_SOFTMAX_KIND > 0
    float log_s = canon_log(s);
#else
    float log_s = 0.0f;
#endif
#if LS_SOFTMAX_KIND >= 2
    if (lane == 0)
        ls_put_loss(src, dst, r, labels, loss, faults, call, row, m, log_s);
#endif
#if LS_SOFTMAX_KIND != 2
    __global float *y = dst + row * r;
    for (long i = lane; i < r; i += LANES)
        y[i] = RESULT(x[i], m, s, log_s);
#endif
}

#endif
