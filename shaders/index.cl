/* SPDX-License-Identifier: Apache-2.0
 *
 * Helpers that all kernels may use: sizes of groups, and division by a number known to the host. */

#define LS_LOCAL(x, y) __attribute__((reqd_work_group_size(x, y, 1)))

/* n / d for n < 2^31, where the host made multiplier and shift from d (ls_cl_pass_extents). */
LS_FN uint ls_quotient(uint n, uint multiplier, uint shift)
{
    return (mul_hi(n, multiplier) + n) >> shift;
}

#define LS_MIN(a, b) ((a) < (b) ? (a) : (b))
