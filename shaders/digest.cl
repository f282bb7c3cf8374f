/* SPDX-License-Identifier: Apache-2.0
 *
 * digest: a group adds one block of up to 2048 elements (canon rule 29). Sums of integers, so atomics
 * may add them in any order.
 *
 *     LS_DIGEST_TYPE  uint, ushort or uchar
 *     LS_DIGEST_ZERO  the word that stands for 0 as well: -0 of a float type, else 0
 *     LS_GROUP        work-items of a group
 */
LS_FN uint ls_word(LS_DIGEST_TYPE x)
{
    uint word = (uint)x;
    return word == LS_DIGEST_ZERO ? 0u : word;
}

__kernel LS_LOCAL(LS_GROUP, 1) void digest(__global const LS_DIGEST_TYPE *src, __global uint *dst, long n, long at)
{
    __local ulong sums[LS_GROUP];
    int lane = get_local_id(0);
    long block = get_group_id(0);
    __global const LS_DIGEST_TYPE *x = src + block * 2048;
    int count = (int)LS_MIN(n - block * 2048, 2048L), whole = count & ~1;
    ulong sum = 0;
    for (int i = 2 * lane; i < whole; i += 2 * LS_GROUP)
        sum += (ulong)(ls_word(x[i]) ^ canon_digest_key((uint)i)) *
               (ulong)(ls_word(x[i + 1]) ^ canon_digest_key((uint)i + 1u));
    if (lane == 0 && whole < count)
        sum += (ulong)(ls_word(x[whole]) ^ canon_digest_key((uint)whole)) * (ulong)canon_digest_key((uint)whole + 1u);
    sums[lane] = sum;
    for (int width = LS_GROUP / 2; width > 0; width >>= 1) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane < width)
            sums[lane] += sums[lane + width];
    }
    if (lane == 0) {
        canon_uint2 joined = canon_digest_join((uint)sums[0], (uint)(sums[0] >> 32), (uint)block);
        atomic_add(dst + at, joined.x);
        atomic_add(dst + at + 1, joined.y);
    }
}
