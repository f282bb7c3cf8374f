/* SPDX-License-Identifier: Apache-2.0
 *
 * Random numbers. Each call draws with the next step of a counter that lies on the device, so that a
 * replayed step draws anew, and the same everywhere.
 */
#include <math.h>

#include "op.h"

/* The counter, made at the first use. */
static struct ls_buffer *step_buffer(ls_context *ls, const char *op)
{
    if (!ls->random_step) {
        if (ls->recorder) {
            ls_fail(ls, LS_CAPTURE_ERROR, "%s: the counter is made by the first drawing op; draw once before the function "
                    "is recorded", op);
            return NULL;
        }
        ls->random_step = ls_storage_new(ls, LS_INT32, 1);
        struct ls_fill_args zero = {.dtype = LS_INT32, .n = 1};
        if (!ls->random_step)
            return NULL;
        zero.dst = ls->random_step->buffer;
        if (ls_dispatch_fill(ls, &zero) != LS_OK)
            return NULL;
    }
    return ls->random_step->buffer;
}

static ls_status advance(ls_context *ls, struct ls_buffer *step)
{
    struct ls_map_args args = {
        .rows = 1,
        .inputs = 1,
        .outputs = 1,
        .immediates = 1,
        .rank = 1,
        .n = 1,
        .extent = {1},
        .immediate = {1},
        .row = {{LS_ROW_int_add, {0, LS_REGISTER_IMMEDIATE, 0}}},
        .input = {{step, LS_INT32, {1}}},
        .output = {{step, LS_INT32, LS_REGISTER_ROW}},
    };
    return ls_dispatch_map(ls, &args);
}

/* Draws with the step as it stands; `last` of the draws of one step makes the next one. */
static ls_tensor draw_stream(ls_context *ls, const char *op, enum ls_random_kind kind, ls_shape shape, uint32_t stream,
                             bool last)
{
    const struct ls_value *o;
    if (!ls_op_open(ls, op))
        return LS_NIL;
    int64_t n = ls_shape_check(ls, op, &shape);
    if (n < 0)
        return LS_NIL;
    struct ls_buffer *step = step_buffer(ls, op);
    ls_tensor out = step ? ls_op_result(ls, kind == LS_RANDOM_BITS ? LS_INT32 : LS_FLOAT32, &shape, &o) : LS_NIL;
    if (!out.context || n == 0)
        return out;
    struct ls_random_args args = {
        .kind = kind, .dst = o->storage->buffer, .step = step, .seed = ls->seed, .stream = stream, .n = n};
    if (ls_dispatch_random(ls, &args) != LS_OK || (last && advance(ls, step) != LS_OK))
        return LS_NIL;
    return out;
}

/* Draws, then scale and shift by one fma, in place. */
static ls_tensor draw(ls_context *ls, const char *op, enum ls_random_kind kind, ls_shape shape, float scale, float shift)
{
    ls_tensor out = draw_stream(ls, op, kind, shape, 0, true);
    if (!out.context || ls_size(out) == 0)
        return out;
    const struct ls_value *o = &ls_slot_of(out)->value;
    struct ls_program affine = {.rows = 1,
                                .immediates = 2,
                                .immediate = {scale, shift},
                                .row = {{LS_ROW_fma, {0, LS_REGISTER_IMMEDIATE, LS_REGISTER_IMMEDIATE + 1}}}};
    struct ls_program_output output = {o->storage->buffer, LS_FLOAT32, LS_REGISTER_ROW};
    if ((scale != 1.0f || shift != 0.0f) && ls_run_program(ls, &affine, &shape, &o, 1, &output, 1) != LS_OK)
        return LS_NIL;
    return out;
}

ls_tensor ls_random_uniform(ls_context *ls, ls_shape shape, float low, float high)
{
    if (!ls_op_open(ls, "random_uniform"))
        return LS_NIL;
    if (!(low <= high) || !isfinite(high - low)) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "random_uniform: from %g to %g: low must not be above high, and both and their "
                "difference must be finite", (double)low, (double)high);
        return LS_NIL;
    }
    return draw(ls, "random_uniform", LS_RANDOM_UNIFORM, shape, high - low, low);
}

/* Whether the numbers describe a normal distribution; false with the error raised. */
static bool is_normal(ls_context *ls, const char *op, float mean, float stddev)
{
    if (isfinite(mean) && stddev >= 0.0f && isfinite(stddev))
        return true;
    ls_fail(ls, LS_INVALID_ARGUMENT, "%s: mean %g, stddev %g: both must be finite, stddev not negative", op, (double)mean,
            (double)stddev);
    return false;
}

ls_tensor ls_random_normal(ls_context *ls, ls_shape shape, float mean, float stddev)
{
    if (!ls_op_open(ls, "random_normal") || !is_normal(ls, "random_normal", mean, stddev))
        return LS_NIL;
    return draw(ls, "random_normal", LS_RANDOM_NORMAL, shape, stddev, mean);
}

/* ---- What is made of them ---- */

enum { TRUNCATED_DRAWS = 8 };

ls_tensor ls_random_truncated_normal(ls_context *ls, ls_shape shape, float mean, float stddev)
{
    const char *op = "random_truncated_normal";
    if (!ls_op_open(ls, op) || !is_normal(ls, op, mean, stddev))
        return LS_NIL;
    ls_tensor z = draw_stream(ls, op, LS_RANDOM_NORMAL, shape, 0, false);
    if (!z.context)
        return LS_NIL;
    ls_tensor two = ls_scalar(ls, 2.0f);
    for (uint32_t stream = 1; stream < TRUNCATED_DRAWS; stream++) {
        ls_tensor again = draw_stream(ls, op, LS_RANDOM_NORMAL, shape, stream, stream == TRUNCATED_DRAWS - 1);
        z = ls_where(ls_less_equal(ls_abs(z), two), z, again);
    }
    z = ls_minimum(ls_maximum(z, ls_neg(two)), two);
    return ls_fma(z, ls_scalar(ls, stddev), ls_scalar(ls, mean));
}

ls_tensor ls_random_bernoulli(ls_context *ls, ls_shape shape, float probability)
{
    const char *op = "random_bernoulli";
    if (!ls_op_open(ls, op))
        return LS_NIL;
    if (!(probability >= 0.0f && probability <= 1.0f)) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %g is not a probability; 0 to 1", op, (double)probability);
        return LS_NIL;
    }
    return ls_less(draw_stream(ls, op, LS_RANDOM_UNIFORM, shape, 0, true), ls_scalar(ls, probability));
}

ls_tensor ls_random_randint(ls_context *ls, ls_shape shape, int32_t low, int32_t high)
{
    const char *op = "random_randint";
    if (!ls_op_open(ls, op))
        return LS_NIL;
    int64_t range = (int64_t)high - low;
    if (range < 1 || range > 1 << 24) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: [%d, %d) has %lld numbers; 1 to 2^24 are possible", op, (int)low, (int)high,
                (long long)range);
        return LS_NIL;
    }
    ls_tensor u = draw_stream(ls, op, LS_RANDOM_UNIFORM, shape, 0, true);
    ls_tensor place = ls_cast(ls_mul(u, ls_scalar(ls, (float)range)), LS_INT32);
    return ls_add(ls_minimum(place, ls_int_scalar(ls, (int32_t)range - 1)), ls_int_scalar(ls, low));
}

/* The largest of logit - log(-log u): Gumbel's way. */
ls_tensor ls_random_categorical(ls_tensor logits, int64_t samples)
{
    const char *op = "random_categorical";
    const struct ls_value *v;
    ls_context *ls = ls_op_enter(op, &logits, 1, &v);
    if (!ls || !ls_op_dtype(ls, op, v, LS_FLOAT32))
        return LS_NIL;
    ls_shape shape = v->shape;
    int last = shape.rank - 1;
    if (last < 0 || shape.rank == LS_MAX_RANK || samples < 0 || shape.dim[last] == 0) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %lld samples of logits %s; they should be (…, classes), at least one", op,
                (long long)samples, ls_text(shape).text);
        return LS_NIL;
    }
    ls_tensor each = ls_expand_dims(ls_stop_gradient(logits), last);
    shape.dim[shape.rank++] = shape.dim[last];
    shape.dim[last] = samples;
    ls_tensor u = draw_stream(ls, op, LS_RANDOM_UNIFORM, shape, 0, true);
    return ls_argmax(ls_sub(each, ls_log(ls_neg(ls_log(u)))), -1);
}

ls_tensor ls_random_permutation(ls_context *ls, int64_t n)
{
    return ls_argsort(draw_stream(ls, "random_permutation", LS_RANDOM_BITS, LS_SHAPE(n), 0, true), 0, false);
}

ls_tensor ls_random_shuffle(ls_tensor a, int axis)
{
    const struct ls_value *v;
    ls_context *ls = ls_op_enter("random_shuffle", &a, 1, &v);
    int at = ls ? ls_op_axis(ls, "random_shuffle", axis, &v->shape) : -1;
    if (at < 0)
        return LS_NIL;
    ls_tensor order = ls_random_permutation(ls, v->shape.dim[at]);
    return ls_size(a) ? ls_gather(a, order, at) : a;
}

/* ---- The state ---- */

static ls_status state_outside(ls_context *ls, const char *op)
{
    if (!ls)
        return LS_INVALID_ARGUMENT;
    if (ls->recorder)
        return ls_fail(ls, LS_CAPTURE_ERROR, "%s: the counter lies on the device; not while a function is recorded", op);
    return ls_error(ls);
}

ls_status ls_get_random_state(ls_context *ls, ls_random_state *state)
{
    if (!state)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "get_random_state: state is NULL; it is where the state is written");
    *state = (ls_random_state){0};
    if (state_outside(ls, "get_random_state") != LS_OK)
        return ls ? ls_error(ls) : LS_INVALID_ARGUMENT;
    state->seed = ls->seed;
    if (!ls->random_step)
        return LS_OK;
    struct ls_device *device = ls->device;
    ls_status status = device->backend->read(device, ls->random_step->buffer, 0, &state->step, sizeof state->step);
    return status == LS_OK ? LS_OK : ls_fail_device(ls, status, "get_random_state");
}

ls_status ls_set_random_state(ls_context *ls, const ls_random_state *state)
{
    if (!state)
        return ls_fail(ls, LS_INVALID_ARGUMENT, "set_random_state: state is NULL; ls_get_random_state fills one");
    if (state_outside(ls, "set_random_state") != LS_OK)
        return ls ? ls_error(ls) : LS_INVALID_ARGUMENT;
    struct ls_buffer *step = step_buffer(ls, "set_random_state");
    if (!step)
        return ls_error(ls);
    struct ls_device *device = ls->device;
    ls_status status = device->backend->write(device, step, 0, &state->step, sizeof state->step);
    if (status != LS_OK)
        return ls_fail_device(ls, status, "set_random_state");
    ls->seed = state->seed;
    return LS_OK;
}
