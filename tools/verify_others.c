/* SPDX-License-Identifier: Apache-2.0
 *
 * The ops that the random graphs leave out (tests/graphs_cover.py says why, and that none is missing here): those that
 * draw random numbers, from one seed, and those that make a tensor of nothing. And the digests of receipts.
 */
#include "state.h"
#include "verify.h"

/* Two sizes: a small one, and one of more elements than a block of any kernel. */
static const int64_t sides[][2] = {{6, 11}, {64, 67}};
enum { DRAWS = sizeof sides / sizeof *sides, MOST = 64 * 67 };

/* An op of x (rows, columns), or of its shape alone. */
struct other {
    const char *name;
    ls_tensor (*call)(ls_context *ls, ls_tensor x, ls_shape shape, int64_t n);
    bool derived; /* by x */
};

#define OTHER(name, expression)                                                                    \
    static ls_tensor other_##name(ls_context *ls, ls_tensor x, ls_shape shape, int64_t n)          \
    {                                                                                              \
        (void)ls, (void)x, (void)shape, (void)n;                                                   \
        return expression;                                                                         \
    }
OTHER(uniform, ls_random_uniform(ls, shape, -2, 3))
OTHER(normal, ls_random_normal(ls, shape, 1, 2))
OTHER(truncated_normal, ls_random_truncated_normal(ls, shape, 1, 2))
OTHER(bernoulli, ls_random_bernoulli(ls, shape, 0.3f))
OTHER(randint, ls_random_randint(ls, shape, -5, 1000))
OTHER(categorical, ls_random_categorical(x, 5))
OTHER(permutation, ls_random_permutation(ls, n))
OTHER(shuffle, ls_random_shuffle(x, 0))
OTHER(dropout, ls_dropout(x, 0.4f))
OTHER(arange, ls_arange(ls, n))
OTHER(range, ls_range(ls, 3, 3 + 7 * (int32_t)n, 7))
OTHER(linspace, ls_linspace(ls, -1, 3, n))
OTHER(searchsorted, ls_searchsorted(ls_linspace(ls, -2, 2, n), x, false))
#undef OTHER

/* What is drawn after a state was read, and again after it was set. */
static ls_tensor other_random_state(ls_context *ls, ls_tensor x, ls_shape shape, int64_t n)
{
    (void)x, (void)n;
    ls_random_state state;
    ls_tensor drawn[2];
    ls_random_uniform(ls, shape, 0, 1);
    ls_get_random_state(ls, &state);
    drawn[0] = ls_random_uniform(ls, shape, 0, 1);
    ls_set_random_state(ls, &state);
    drawn[1] = ls_random_uniform(ls, shape, 0, 1);
    return ls_concat(drawn, 2, 0);
}

/* Of a float32, an int32 and a bool tensor, into new storage. */
static ls_tensor other_digest(ls_context *ls, ls_tensor x, ls_shape shape, int64_t n)
{
    (void)shape;
    ls_tensor of[] = {x, ls_cast(x, LS_INT32), ls_greater(x, ls_scalar(ls, 0))};
    ls_tensor digests = ls_from_host(ls, LS_INT32, LS_SHAPE(3, 2), (int32_t[6]){0});
    if (ls_error(ls) != LS_OK)
        return digests;
    struct ls_digest_args args = {.inputs = 3, .dst = ls_value_buffer(ls, &ls_slot_of(digests)->value)};
    for (int i = 0; i < 3; i++)
        args.input[i] = (struct ls_digest_input){ls_value_buffer(ls, &ls_slot_of(of[i])->value), ls_dtype_of(of[i]), n};
    ls_dispatch_digest(ls, &args);
    return digests;
}

static const struct other others[] = {
    {"random_uniform", other_uniform, false},
    {"random_normal", other_normal, false},
    {"random_truncated_normal", other_truncated_normal, false},
    {"random_bernoulli", other_bernoulli, false},
    {"random_randint", other_randint, false},
    {"random_categorical", other_categorical, false},
    {"random_permutation", other_permutation, false},
    {"random_shuffle", other_shuffle, true},
    {"dropout", other_dropout, true},
    {"random_state", other_random_state, false},
    {"arange", other_arange, false},
    {"range", other_range, false},
    {"linspace", other_linspace, false},
    {"searchsorted", other_searchsorted, false},
    {"digest", other_digest, false},
};

static size_t other_count(void) { return sizeof others / sizeof *others * DRAWS; }
static const char *other_name(size_t i) { return others[i / DRAWS].name; }

struct call {
    const struct other *of;
    ls_context *ls;
    ls_tensor x;
    ls_shape shape;
    int64_t n;
};

static ls_tensor make_call(void *user)
{
    const struct call *call = user;
    return call->of->call(call->ls, call->x, call->shape, call->n);
}

static void other_run(size_t i, ls_context *ls, struct verify_result *result)
{
    const int64_t *side = sides[i % DRAWS];
    struct call call = {.of = &others[i / DRAWS], .ls = ls, .shape = LS_SHAPE(side[0], side[1]), .n = side[0] * side[1]};
    float x[MOST];
    for (int64_t e = 0; e < call.n; e++)
        x[e] = (float)(e * 367 % 1021 - 510) / 256; /* -1.99 to 1.99 in a scattered order */
    ls_set_random_seed(ls, 17 + i);
    LS_SCOPE (ls) {
        call.x = ls_from_host(ls, LS_FLOAT32, call.shape, x);
        verify_derive(ls, make_call, &call, &call.x, call.of->derived ? 1 : 0, result);
    }
}

const struct verify_suite verify_others = {other_count, other_name, other_run};
