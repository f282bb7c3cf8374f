/* SPDX-License-Identifier: Apache-2.0
 *
 * Random numbers. Each call draws with the next step of a counter that lies on the device, so that a
 * replayed step draws anew, and the same everywhere.
 */
#include "op.h"

/* The counter, made at the first use. */
static struct ls_buffer *step_buffer(ls_context *ls)
{
    if (!ls->random_step) {
        if (ls->recorder) {
            ls_fail(ls, LS_CAPTURE_ERROR, "random: draw once before the function is recorded");
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

/* Draws, then scale and shift by one fma, in place. */
static ls_tensor draw(ls_context *ls, const char *op, enum ls_random_kind kind, ls_shape shape, float scale, float shift)
{
    const struct ls_value *o;
    if (!ls || ls_failed(ls))
        return LS_NIL;
    int64_t n = ls_shape_elements(&shape);
    if (n < 0) {
        ls_fail(ls, LS_OVERFLOW, "%s: shape %s is not valid", op, ls_text(shape).text);
        return LS_NIL;
    }
    struct ls_buffer *step = step_buffer(ls);
    ls_tensor out = step ? ls_op_result(ls, LS_FLOAT32, &shape, &o) : LS_NIL;
    if (!out.context || n == 0)
        return out;
    struct ls_random_args args = {.kind = kind, .dst = o->storage->buffer, .step = step, .seed = ls->seed, .n = n};
    struct ls_program affine = {.rows = 1,
                                .immediates = 2,
                                .immediate = {scale, shift},
                                .row = {{LS_ROW_fma, {0, LS_REGISTER_IMMEDIATE, LS_REGISTER_IMMEDIATE + 1}}}};
    struct ls_program_output output = {o->storage->buffer, LS_FLOAT32, LS_REGISTER_ROW};
    if (ls_dispatch_random(ls, &args) != LS_OK || advance(ls, step) != LS_OK)
        return LS_NIL;
    if ((scale != 1.0f || shift != 0.0f) && ls_run_program(ls, &affine, &shape, &o, 1, &output, 1) != LS_OK)
        return LS_NIL;
    return out;
}

ls_tensor ls_random_uniform(ls_context *ls, ls_shape shape, float low, float high)
{
    return draw(ls, "random_uniform", LS_RANDOM_UNIFORM, shape, high - low, low);
}

ls_tensor ls_random_normal(ls_context *ls, ls_shape shape, float mean, float stddev)
{
    return draw(ls, "random_normal", LS_RANDOM_NORMAL, shape, stddev, mean);
}
