/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of tapes: what is computed is compared with what is known, and kept, so that two devices can be
 * compared by bits.
 */
#ifndef TESTS_TAPE_CHECK_H
#define TESTS_TAPE_CHECK_H

#include <math.h>
#include <string.h>

#include "check.h"
#include "devices.h"

static float trace[2][4096];
static size_t traced[2];
static int run; /* which of the two */

/* Whether `t` has `n` elements that are `expected` within `relative`; notes its bits. */
static inline void check_array(const char *what, ls_tensor t, const double *expected, size_t n, double relative)
{
    float got[256];
    bool read = (size_t)ls_size(t) == n && n <= 256 && (n == 0 || ls_read(t, got, n * 4) == LS_OK);
    CHECK(read, "%s: %zu elements; %s", what, (size_t)ls_size(t), t.context ? ls_error_message(t.context) : "nil");
    if (!read)
        return;
    for (size_t i = 0; i < n; i++)
        CHECK(fabs((double)got[i] - expected[i]) <= relative * (1 + fabs(expected[i])), "%s[%zu] is %.9g, not %.9g",
              what, i, (double)got[i], expected[i]);
    for (size_t i = 0; i < n && traced[run] < 4096; i++)
        trace[run][traced[run]++] = got[i];
}

static inline void check_exact(const char *what, ls_tensor t, double expected)
{
    check_array(what, t, &expected, 1, 0);
}

static inline bool same_bits(ls_tensor a, ls_tensor b)
{
    float x[256], y[256];
    size_t n = (size_t)ls_size(a);
    return n == (size_t)ls_size(b) && n <= 256 && ls_read(a, x, n * 4) == LS_OK && ls_read(b, y, n * 4) == LS_OK &&
           memcmp(x, y, n * 4) == 0;
}

static inline ls_tensor numbers(ls_context *ls, ls_shape shape, int seed)
{
    float data[64];
    int64_t n = 1;
    for (int d = 0; d < shape.rank; d++)
        n *= shape.dim[d];
    for (int64_t i = 0; i < n; i++)
        data[i] = (float)((i * 7 + seed * 5) % 13 - 6) / 8;
    return ls_from_host(ls, LS_FLOAT32, shape, data);
}

static inline ls_tensor total(ls_tensor a) { return ls_sum(a, NULL, 0, false); }

/* The network of golden_tape.h. */
static inline ls_tensor network(ls_tensor x, ls_tensor w1, ls_tensor w2)
{
    return ls_matmul(ls_tanh(ls_matmul(x, w1)), w2);
}

/* The parts, each in a scope of its own, which leaves nothing. */
static inline void run_parts(const char *device, void (*const *parts)(ls_context *), size_t count)
{
    ls_context *ls = ls_open(device);
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
    for (size_t i = 0; i < count; i++) {
        LS_SCOPE (ls)
            parts[i](ls);
        CHECK(ls_error(ls) == LS_OK, "part %zu ends in error: %s", i, ls_error_message(ls));
        ls_clear_error(ls);
        CHECK(ls_get_stats(ls).live_tensors == 0, "part %zu leaves %zu tensors", i, ls_get_stats(ls).live_tensors);
    }
    ls_trim(ls);
    ls_set_random_seed(ls, 0);
    CHECK(ls_get_stats(ls).live_buffers == 0, "%zu buffers are left", ls_get_stats(ls).live_buffers);
    ls_close(&ls);
}

/* On the reference, and on the kind of device that the command line names: the same bits, at least so many numbers. */
static inline void run_on_both(int argc, char **argv, void (*const *parts)(ls_context *), size_t count, size_t least)
{
    struct device_kind kind = device_kind_of(argc > 1 ? argv[1] : "reference");
    run_parts("reference", parts, count);
    if (argc > 1) {
        ls_context *ls = ls_open(kind.words);
        if (ls_error(ls) == LS_NOT_FOUND || ls_error(ls) == LS_UNAVAILABLE)
            device_absent(&kind, ls_error_message(ls));
        ls_close(&ls);
        run = 1;
        run_parts(kind.words, parts, count);
        CHECK(traced[0] == traced[1] && traced[0] > least, "%zu and %zu numbers", traced[0], traced[1]);
        for (size_t i = 0; i < traced[0] && i < traced[1]; i++)
            CHECK(trace[0][i] == trace[1][i], "number %zu: %a, and %a on %s", i, (double)trace[0][i],
                  (double)trace[1][i], argv[1]);
    }
}

#endif
