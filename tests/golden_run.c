/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the cases of golden files: values, gradients with every subset of the inputs watched, second gradients.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lockstep/ops.h>
#include <lockstep/tape.h>

#include "golden.h"

/* ---- Comparing ---- */

struct run {
    ls_context *ls;
    const struct golden_case *c;
    const struct golden_options *options;
    FILE *report;
    bool failed; /* this case */
};

static void say(struct run *run, const char *what, int index, const char *text)
{
    run->failed = true;
    if (run->report)
        fprintf(run->report, "%s %s %d: %s\n", run->c->name, what, index, text);
}

/* One error, reported and cleared, fails the case. */
static bool no_error(struct run *run, const char *what)
{
    if (ls_error(run->ls) == LS_OK)
        return true;
    char text[640];
    snprintf(text, sizeof text, "%s: %s", ls_status_name(ls_error(run->ls)), ls_error_message(run->ls));
    say(run, what, 0, text);
    ls_clear_error(run->ls);
    return false;
}

static bool shapes_agree(ls_shape a, ls_shape b)
{
    return a.rank == b.rank && memcmp(a.dim, b.dim, (size_t)a.rank * sizeof *a.dim) == 0;
}

/* The elements of `t`, which must have that type and shape; of nil, which as a gradient means zero, zeros.
 * NULL, with the failure said, if that cannot be had. The caller frees. */
static void *fetch(struct run *run, const char *what, int index, ls_tensor t, const struct golden_array *like,
                   bool may_be_nil)
{
    size_t bytes = (size_t)like->size * ls_dtype_size(like->dtype);
    void *data = calloc(bytes ? bytes : 1, 1);
    char text[320], got[128], expected[128];
    if (!data || (ls_is_nil(t) && !may_be_nil)) {
        say(run, what, index, data ? "nil" : "no memory");
        free(data);
        return NULL;
    }
    if (ls_is_nil(t))
        return data;
    ls_shape shape = ls_shape_of_tensor(t);
    if (ls_dtype_of(t) != like->dtype || !shapes_agree(shape, like->shape)) {
        snprintf(text, sizeof text, "%s %s, expected %s %s", ls_dtype_name(ls_dtype_of(t)),
                 ls_shape_text(shape, got, sizeof got), ls_dtype_name(like->dtype),
                 ls_shape_text(like->shape, expected, sizeof expected));
        say(run, what, index, text);
        free(data);
        return NULL;
    }
    if (ls_read(t, data, bytes) != LS_OK) {
        no_error(run, what);
        free(data);
        return NULL;
    }
    return data;
}

static bool within(float got, double truth, double bound)
{
    if (isnan(truth) || isinf(truth))
        return isnan(truth) ? isnan(got) : (double)got == truth;
    return fabs((double)got - truth) <= bound;
}

static int64_t element(const struct golden_array *a, const void *data, int64_t i)
{
    switch (ls_dtype_size(a->dtype)) {
    case 1: return ((const uint8_t *)data)[i];
    case 2: return ((const uint16_t *)data)[i];
    default: return ((const int32_t *)data)[i];
    }
}

/* Reads an array, adds it to the trace, compares it with what is expected. Returns the elements for
 * the caller to free, or NULL. */
static void *check(struct run *run, const char *what, int index, ls_tensor t, const struct golden_array *expected,
                   bool may_be_nil)
{
    void *data = fetch(run, what, index, t, expected, may_be_nil);
    if (!data)
        return NULL;
    char text[160];
    if (run->options->trace) {
        snprintf(text, sizeof text, "%s %s %d", run->c->name, what, index);
        size_t bytes = (size_t)expected->size * ls_dtype_size(expected->dtype);
        if (!golden_trace_add(run->options->trace, text, expected->dtype, data, bytes))
            say(run, what, index, "no memory for the trace");
    }
    int64_t wrong = 0;
    for (int64_t i = 0; i < expected->size; i++) {
        if (expected->dtype == LS_FLOAT32) {
            float got = ((const float *)data)[i];
            if (within(got, expected->real[i], expected->bound))
                continue;
            snprintf(text, sizeof text, "[%" PRId64 "] is %.9g, expected %.17g, bound %.3g", i, (double)got,
                     expected->real[i], expected->bound);
        } else {
            int64_t got = element(expected, data, i), truth = element(expected, expected->data, i);
            if (got == truth)
                continue;
            snprintf(text, sizeof text, "[%" PRId64 "] is %" PRId64 ", expected %" PRId64, i, got, truth);
        }
        if (wrong++ < 4)
            say(run, what, index, text);
    }
    if (wrong > 4) {
        snprintf(text, sizeof text, "and %" PRId64 " more of %" PRId64, wrong - 4, expected->size);
        say(run, what, index, text);
    }
    return data;
}

/* ---- The three parts of a case ---- */

static void make_inputs(struct run *run, ls_tensor *in)
{
    for (int i = 0; i < run->c->inputs; i++)
        in[i] = ls_from_host(run->ls, run->c->input[i].dtype, run->c->input[i].shape, run->c->input[i].data);
}

static ls_tensor from_array(ls_context *ls, const struct golden_array *a)
{
    return ls_from_host(ls, a->dtype, a->shape, a->data);
}

static void run_outputs(struct run *run)
{
    ls_tensor in[GOLDEN_INPUTS] = {{0}}, out[GOLDEN_OUTPUTS] = {{0}};
    make_inputs(run, in);
    int outputs = golden_call_op(run->ls, run->c, in, out);
    if (!no_error(run, "output"))
        return;
    if (outputs != run->c->outputs)
        say(run, "output", outputs, "another number of outputs than expected");
    for (int i = 0; i < run->c->outputs && i < outputs; i++)
        free(check(run, "output", i, out[i], &run->c->output[i], false));
}

/* y * cotangent, summed, with the inputs in `watched` (a bit each) watched; then the gradients to them.
 * Reading them is up to the caller, who is in the same scope. */
static ls_status gradients(struct run *run, const ls_tensor *in, ls_tensor cotangent, unsigned watched,
                           ls_tensor *gradient)
{
    ls_tensor source[GOLDEN_INPUTS], found[GOLDEN_INPUTS] = {{0}}, out[GOLDEN_OUTPUTS] = {{0}};
    size_t sources = 0;
    ls_tape *tape = ls_tape_begin(run->ls);
    for (int i = 0; i < run->c->inputs; i++)
        if (watched >> i & 1) {
            ls_watch(tape, in[i]);
            source[sources++] = in[i];
        }
    golden_call_op(run->ls, run->c, in, out);
    ls_tensor target = ls_sum(ls_mul(out[0], cotangent), NULL, 0, false);
    ls_tape_end(tape);
    ls_status status = ls_gradient(tape, target, source, sources, found);
    ls_tape_destroy(&tape);
    for (int i = run->c->inputs - 1; i >= 0; i--)
        if (watched >> i & 1)
            gradient[i] = found[--sources];
    return status;
}

static unsigned float_inputs(const struct golden_case *c)
{
    unsigned mask = 0;
    for (int i = 0; i < c->inputs; i++)
        if (c->input[i].dtype == LS_FLOAT32)
            mask |= 1u << i;
    return mask;
}

/* With only some inputs watched the gradients have the same bits as with all of them. */
static void run_subset(struct run *run, unsigned watched, void *const *all)
{
    ls_tensor in[GOLDEN_INPUTS] = {{0}}, gradient[GOLDEN_INPUTS] = {{0}};
    make_inputs(run, in);
    gradients(run, in, from_array(run->ls, &run->c->cotangent), watched, gradient);
    if (!no_error(run, "gradient of a subset"))
        return;
    for (int i = 0; i < run->c->inputs; i++) {
        const struct golden_array *like = &run->c->input[i];
        if (!(watched >> i & 1) || !all[i])
            continue;
        void *data = fetch(run, "gradient of a subset", i, gradient[i], like, true);
        if (data && memcmp(data, all[i], (size_t)like->size * sizeof(float)) != 0) {
            char text[64];
            snprintf(text, sizeof text, "other bits when only inputs %#x are watched", watched);
            say(run, "gradient", i, text);
        }
        free(data);
    }
}

static void run_gradients(struct run *run)
{
    unsigned all = float_inputs(run->c);
    ls_tensor in[GOLDEN_INPUTS] = {{0}}, gradient[GOLDEN_INPUTS] = {{0}};
    void *data[GOLDEN_INPUTS] = {NULL};
    make_inputs(run, in);
    gradients(run, in, from_array(run->ls, &run->c->cotangent), all, gradient);
    if (!no_error(run, "gradient"))
        return;
    for (int i = 0; i < run->c->inputs; i++)
        if (run->c->gradient[i].given)
            data[i] = check(run, "gradient", i, gradient[i], &run->c->gradient[i], true);
    for (unsigned watched = 1; watched < all && !run->options->skip_subsets; watched++)
        if ((watched & all) == watched && !run->failed) {
            ls_scope_begin(run->ls);
            run_subset(run, watched, data);
            ls_scope_end(run->ls);
        }
    for (int i = 0; i < run->c->inputs; i++)
        free(data[i]);
}

static void run_second(struct run *run)
{
    const struct golden_case *c = run->c;
    unsigned all = float_inputs(c);
    ls_tensor in[GOLDEN_INPUTS + 1] = {{0}}, gradient[GOLDEN_INPUTS] = {{0}}, second[GOLDEN_INPUTS + 1] = {{0}};
    ls_tensor source[GOLDEN_INPUTS + 1], found[GOLDEN_INPUTS + 1] = {{0}}, sum = ls_scalar(run->ls, 0.0f);
    int order[GOLDEN_INPUTS + 1];
    size_t sources = 0;
    make_inputs(run, in);
    in[c->inputs] = from_array(run->ls, &c->cotangent);
    ls_tape *outer = ls_tape_begin(run->ls);
    for (int i = 0; i <= c->inputs; i++)
        if (c->second[i].given) {
            ls_watch(outer, in[i]);
            order[sources] = i;
            source[sources++] = in[i];
        }
    gradients(run, in, in[c->inputs], all, gradient);
    for (int i = 0; i < c->inputs; i++)
        if ((all >> i & 1) && !ls_is_nil(gradient[i])) {
            ls_tensor direction = from_array(run->ls, &c->direction[i]);
            sum = ls_add(sum, ls_sum(ls_mul(gradient[i], direction), NULL, 0, false));
        }
    ls_tape_end(outer);
    ls_gradient(outer, sum, source, sources, found);
    ls_tape_destroy(&outer);
    if (!no_error(run, "second"))
        return;
    for (size_t i = 0; i < sources; i++)
        second[order[i]] = found[i];
    for (int i = 0; i <= c->inputs; i++)
        if (c->second[i].given)
            free(check(run, "second", i, second[i], &c->second[i], true));
}

static void run_no_gradient(struct run *run)
{
    ls_tensor in[GOLDEN_INPUTS] = {{0}}, out[GOLDEN_OUTPUTS] = {{0}}, gradient = {0};
    make_inputs(run, in);
    ls_tape *tape = ls_tape_begin(run->ls);
    ls_watch(tape, in[0]);
    golden_call_op(run->ls, run->c, in, out);
    ls_tape_end(tape);
    ls_status status = ls_gradient(tape, out[0], in, 1, &gradient);
    ls_tape_destroy(&tape);
    if (status != LS_NO_GRADIENT)
        say(run, "gradient", 0, "LS_NO_GRADIENT is expected");
    else if (!strstr(ls_error_message(run->ls), run->c->op))
        say(run, "gradient", 0, "the message does not name the op");
    ls_clear_error(run->ls);
}

static void in_scope(struct run *run, void part(struct run *))
{
    ls_scope_begin(run->ls);
    part(run);
    ls_scope_end(run->ls);
    no_error(run, "scope");
}

size_t golden_run(ls_context *ls, const struct golden_set *set, const struct golden_options *options,
                  struct golden_result *result, FILE *report)
{
    static const struct golden_options defaults = {0};
    *result = (struct golden_result){0};
    for (size_t i = 0; i < set->count; i++) {
        const struct golden_case *c = &set->cases[i];
        struct run run = {.ls = ls, .c = c, .options = options ? options : &defaults, .report = report};
        const char *only = run.options->only;
        if (only && strncmp(c->name, only, strlen(only)) != 0)
            continue;
        result->cases++;
        if (run.options->skip_subnormal && (c->flags & GOLDEN_SUBNORMAL)) {
            result->skipped++;
            continue;
        }
        if (!golden_has_op(c->op)) {
            say(&run, "op", 0, "is in no table of golden_*.c");
        } else {
            in_scope(&run, run_outputs);
            if (c->cotangent.given)
                in_scope(&run, run_gradients);
            if (c->second[c->inputs].given)
                in_scope(&run, run_second);
            if (c->flags & GOLDEN_NO_GRADIENT)
                in_scope(&run, run_no_gradient);
        }
        if (run.failed) {
            result->failed++;
            continue;
        }
        result->passed++;
        golden_add_cover(result, c->op);
        for (int k = 0; k < c->covers; k++)
            golden_add_cover(result, c->cover[k]);
    }
    return result->failed;
}
