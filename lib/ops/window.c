/* SPDX-License-Identifier: Apache-2.0 */
#include "window.h"

enum { LARGEST = 1 << 30 }; /* sizes and options, so that kernels may count with int */

int ls_window_rank(ls_context *ls, const char *op, const ls_shape *image)
{
    int rank = image->rank - 2;
    if (rank >= 1 && rank <= LS_SPATIAL)
        return rank;
    ls_fail(ls, LS_SHAPE_MISMATCH,
            "%s: input %s should be (batch, length, channels), (batch, height, width, channels) or (batch, depth, "
            "height, width, channels); ls_expand_dims adds a dimension",
            op, ls_text(*image).text);
    return 0;
}

int64_t ls_window_option(const int64_t *values, int d)
{
    int64_t value = values ? values[d] ? values[d] : values[0] : 0;
    return value ? value : 1;
}

static bool in_range(ls_context *ls, const struct ls_window_options *o, const char *what, int64_t value, int64_t least)
{
    if (value >= least && value <= LARGEST)
        return true;
    ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %s %lld; it is at least %lld and at most %d", o->op, what, (long long)value,
            (long long)least, LARGEST);
    return false;
}

/* One dimension: the result's length and the cells added before, from dimension `d` of the options. */
static bool slide(ls_context *ls, const struct ls_window_options *o, int d, int64_t in, int64_t *out, int64_t *before)
{
    int64_t stride = ls_window_option(o->strides, d), dilation = ls_window_option(o->dilations, d), size = o->size[d];
    if (!in_range(ls, o, "a window of", size, 1) || !in_range(ls, o, "a stride of", stride, 1) ||
        !in_range(ls, o, "a dilation of", dilation, 1) || !in_range(ls, o, "an image of", in, 0))
        return false;
    int64_t span = (size - 1) * dilation + 1, after = 0, missing;
    if (!in_range(ls, o, "a window spanning", span, 1))
        return false;
    *before = 0;
    switch (o->padding) {
    case LS_SAME:
        *out = (in + stride - 1) / stride;
        missing = (*out - 1) * stride + span - in;
        *before = missing > 0 ? missing / 2 : 0;
        return true;
    case LS_CAUSAL: *before = span - 1; break;
    case LS_EXPLICIT:
        *before = o->pads[d][0];
        after = o->pads[d][1];
        if (!in_range(ls, o, "a pad of", *before, 0) || !in_range(ls, o, "a pad of", after, 0))
            return false;
        break;
    case LS_VALID:
    case LS_PADDING_COUNT: break;
    }
    int64_t whole = in + *before + after;
    *out = whole < span ? 0 : (whole - span) / stride + 1;
    if (whole >= span || (in == 0 && o->padding == LS_CAUSAL))
        return true;
    ls_fail(ls, LS_SHAPE_MISMATCH, "%s: in dimension %d the window spans %lld cells, but the input has %lld%s; LS_SAME pads",
            o->op, d, (long long)span, (long long)whole, *before + after ? " with its padding" : "");
    return false;
}

bool ls_window_make(ls_context *ls, const struct ls_window_options *o, const ls_shape *image, struct ls_window *window)
{
    static const char *const names[] = {"LS_VALID", "LS_SAME", "LS_CAUSAL", "LS_EXPLICIT"};
    int rank = image->rank - 2, shift = LS_SPATIAL - rank;
    if ((unsigned)o->padding >= LS_PADDING_COUNT || (o->padding == LS_CAUSAL && rank != 1) ||
        (o->padding == LS_EXPLICIT && !o->pads)) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: padding %d is not one for input %s", o->op, (int)o->padding,
                ls_text(*image).text);
        return false;
    }
    for (int d = 0; o->pads && o->padding != LS_EXPLICIT && d < LS_SPATIAL; d++)
        if (o->pads[d][0] || o->pads[d][1]) {
            ls_fail(ls, LS_INVALID_ARGUMENT, "%s: pads of %lld and %lld in dimension %d, but the padding is %s; only "
                    "LS_EXPLICIT takes pads", o->op, (long long)o->pads[d][0], (long long)o->pads[d][1], d,
                    names[o->padding]);
            return false;
        }
    *window = (struct ls_window){.batch = image->dim[0]};
    for (int d = 0; d < LS_SPATIAL; d++) {
        window->in[d] = window->out[d] = window->size[d] = window->stride[d] = window->dilation[d] = 1;
        if (d < shift)
            continue;
        window->in[d] = image->dim[1 + d - shift];
        window->size[d] = o->size[d - shift];
        window->stride[d] = ls_window_option(o->strides, d - shift);
        window->dilation[d] = ls_window_option(o->dilations, d - shift);
        if (!slide(ls, o, d - shift, window->in[d], &window->out[d], &window->before[d]))
            return false;
    }
    return true;
}

ls_shape ls_window_image(const struct ls_window *window, bool out, int rank, int64_t channels)
{
    ls_shape shape = {.rank = rank + 2, .dim = {window->batch}};
    for (int d = 0; d < rank; d++)
        shape.dim[1 + d] = (out ? window->out : window->in)[LS_SPATIAL - rank + d];
    shape.dim[1 + rank] = channels;
    return shape;
}
