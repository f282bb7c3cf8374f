/* SPDX-License-Identifier: Apache-2.0
 *
 * Convolution. Its three passes are each other's gradients: with y = conv(x, k), dx = input(dy, k) and
 * dk = kernel(x, dy), each is linear in both of its factors, and each factor's gradient is one of the
 * other two passes. So any order of derivative works.
 */
#include "window.h"

#include "activation.h"

/* What a pass needs to know besides its factors. */
struct passing {
    enum ls_conv_pass pass;
    struct ls_window window;
    int rank; /* spatial dimensions */
    int64_t groups, channels, filters;
    ls_activation activation;
};

static ls_tensor run(const struct passing *p, const char *name, const ls_tensor *in, int inputs);

static ls_tensor forward(const struct passing *like, ls_tensor x, ls_tensor kernel)
{
    struct passing p = *like;
    p.pass = LS_CONV_FORWARD;
    p.activation = LS_LINEAR;
    return run(&p, "conv", (ls_tensor[]){x, kernel}, 2);
}

static ls_tensor to_input(const struct passing *like, ls_tensor y, ls_tensor kernel)
{
    struct passing p = *like;
    p.pass = LS_CONV_INPUT;
    p.activation = LS_LINEAR;
    return run(&p, "conv_transpose", (ls_tensor[]){y, kernel}, 2);
}

static ls_tensor to_kernel(const struct passing *like, ls_tensor x, ls_tensor y)
{
    struct passing p = *like;
    p.pass = LS_CONV_KERNEL;
    p.activation = LS_LINEAR;
    return run(&p, "conv_kernel", (ls_tensor[]){x, y}, 2);
}

static void vjp_conv(struct ls_vjp_call *call)
{
    const struct passing *p = call->attributes;
    ls_tensor a = call->in[0], b = call->in[1];
    ls_tensor g = ls_before_activation(p->activation, call->dy, call->out);
    switch (p->pass) {
    case LS_CONV_FORWARD: /* a = x, b = kernel */
        if (call->needs[0])
            call->dx[0] = to_input(p, g, b);
        if (call->needs[1])
            call->dx[1] = to_kernel(p, a, g);
        break;
    case LS_CONV_INPUT: /* a = y, b = kernel; g is like x */
        if (call->needs[0])
            call->dx[0] = forward(p, g, b);
        if (call->needs[1])
            call->dx[1] = to_kernel(p, g, a);
        break;
    case LS_CONV_KERNEL: /* a = x, b = y; g is like the kernel */
        if (call->needs[0])
            call->dx[0] = to_input(p, b, g);
        if (call->needs[1])
            call->dx[1] = forward(p, a, g);
        break;
    }
    if (call->inputs == 3 && call->needs[2])
        call->dx[2] = ls_sum_to(g, ls_shape_of_tensor(call->in[2]));
}

static const struct ls_op conv_op = {"conv", vjp_conv, NULL};
static const struct ls_op transpose_op = {"conv_transpose", vjp_conv, NULL};
static const struct ls_op kernel_op = {"conv_kernel", vjp_conv, NULL};

static ls_shape result_shape(const struct passing *p)
{
    switch (p->pass) {
    case LS_CONV_FORWARD: return ls_window_image(&p->window, true, p->rank, p->groups * p->filters);
    case LS_CONV_INPUT: return ls_window_image(&p->window, false, p->rank, p->groups * p->channels);
    case LS_CONV_KERNEL: break;
    }
    ls_shape shape = {.rank = p->rank + 2};
    for (int d = 0; d < p->rank; d++)
        shape.dim[d] = p->window.size[LS_SPATIAL - p->rank + d];
    shape.dim[p->rank] = p->channels;
    shape.dim[p->rank + 1] = p->groups * p->filters;
    return shape;
}

/* Two factors and perhaps a bias, whose shapes were checked. Records the pass. */
static ls_tensor run(const struct passing *p, const char *name, const ls_tensor *in, int inputs)
{
    const struct ls_value *v[3], *out;
    ls_context *ls = ls_op_enter(name, in, inputs, v);
    if (!ls)
        return LS_NIL;
    ls_shape shape = result_shape(p);
    if (ls_shape_elements(&shape) < 0) {
        ls_fail(ls, LS_OVERFLOW, "%s: the result of %s and %s has too many elements", name, ls_text(v[0]->shape).text,
                ls_text(v[1]->shape).text);
        return LS_NIL;
    }
    ls_tensor result = ls_op_result(ls, LS_FLOAT32, &shape, &out);
    if (!result.context)
        return LS_NIL;
    if (ls_shape_elements(&shape) > 0) {
        struct ls_buffer *a = ls_value_buffer(ls, v[0]), *b = ls_value_buffer(ls, v[1]);
        struct ls_buffer *bias = inputs == 3 ? ls_value_buffer(ls, v[2]) : NULL, *c = out->storage->buffer;
        struct ls_conv_args args = {.pass = p->pass,
                                    .window = p->window,
                                    .groups = p->groups,
                                    .channels = p->channels,
                                    .filters = p->filters,
                                    .input = p->pass == LS_CONV_INPUT ? c : a,
                                    .kernel = p->pass == LS_CONV_KERNEL ? c : b,
                                    .output = p->pass == LS_CONV_FORWARD ? c : p->pass == LS_CONV_INPUT ? a : b,
                                    .bias = bias,
                                    .activation = (uint16_t)ls_activation_row(p->activation)};
        if (ls_failed(ls) || ls_dispatch_conv(ls, &args) != LS_OK)
            return LS_NIL;
    }
    const struct ls_op *op = p->pass == LS_CONV_FORWARD ? &conv_op : p->pass == LS_CONV_INPUT ? &transpose_op : &kernel_op;
    return ls_record(ls, op, in, inputs, result, 3 | (p->activation ? LS_SAVE_OUT : 0), p, sizeof *p);
}

/* ---- Shapes ---- */

/* Types, ranks, the kernel's elements and the activation; the spatial dimensions, or 0 with the error. */
static int check(ls_context *ls, const char *name, const struct ls_value *const *v, int inputs, ls_activation activation)
{
    for (int i = 0; i < inputs; i++)
        if (!ls_op_dtype(ls, name, v[i], LS_FLOAT32))
            return 0;
    int rank = ls_window_rank(ls, name, &v[0]->shape);
    if (rank && v[1]->shape.rank != rank + 2) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: kernel %s should have the rank of input %s, %d: its sizes and two of channels",
                name, ls_text(v[1]->shape).text, ls_text(v[0]->shape).text, rank + 2);
        return 0;
    }
    if (rank && (unsigned)activation >= LS_ACTIVATION_COUNT) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: unknown activation %d; LS_LINEAR, LS_RELU, LS_SIGMOID or LS_TANH", name,
                (int)activation);
        return 0;
    }
    return rank;
}

static bool check_bias(ls_context *ls, const char *name, const struct ls_value *const *v, int inputs, int64_t filters)
{
    if (inputs < 3 || (v[2]->shape.rank == 1 && v[2]->shape.dim[0] == filters))
        return true;
    ls_fail(ls, LS_SHAPE_MISMATCH, "%s: bias %s should be (%lld,)", name, ls_text(v[2]->shape).text, (long long)filters);
    return false;
}

static ls_tensor conv(const char *name, const ls_conv_options *o, int64_t groups)
{
    const struct ls_value *v[3];
    ls_tensor in[] = {o->input, o->kernel, o->bias};
    int inputs = o->bias.context ? 3 : 2;
    ls_context *ls = ls_op_enter(name, in, inputs, v);
    int rank = ls ? check(ls, name, v, inputs, o->activation) : 0;
    if (!rank)
        return LS_NIL;
    const ls_shape *x = &v[0]->shape, *kernel = &v[1]->shape;
    int64_t channels = x->dim[rank + 1], filters = kernel->dim[rank + 1];
    if (groups < 1 || channels % groups || filters % groups) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: %lld groups must divide the %lld channels and the %lld filters", name,
                (long long)groups, (long long)channels, (long long)filters);
        return LS_NIL;
    }
    struct passing p = {LS_CONV_FORWARD, {0}, rank, groups, channels / groups, filters / groups, o->activation};
    if (kernel->dim[rank] != p.channels) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: input %s has %lld channels%s, kernel %s is for %lld; kernels are (size…, %s)",
                name, ls_text(*x).text, (long long)p.channels, groups > 1 ? " per group" : "", ls_text(*kernel).text,
                (long long)kernel->dim[rank], groups > 1 ? "channels / groups, filters" : "channels, filters");
        return LS_NIL;
    }
    struct ls_window_options window = {name, kernel->dim, o->strides, o->dilations, o->padding, o->pads};
    if (!check_bias(ls, name, v, inputs, filters) || !ls_window_make(ls, &window, x, &p.window))
        return LS_NIL;
    return run(&p, name, in, inputs);
}

ls_tensor ls_conv_with(const ls_conv_options *o)
{
    return o ? conv("conv", o, o->groups ? o->groups : 1) : ls_op_no_options("conv");
}

ls_tensor ls_depthwise_conv_with(const ls_conv_options *o)
{
    static const char name[] = "depthwise_conv";
    const struct ls_value *v[3];
    if (!o)
        return ls_op_no_options(name);
    ls_tensor in[] = {o->input, o->kernel, o->bias};
    int inputs = o->bias.context ? 3 : 2;
    ls_context *ls = ls_op_enter(name, in, inputs, v);
    int rank = ls ? check(ls, name, v, inputs, o->activation) : 0;
    if (!rank)
        return LS_NIL;
    /* (size…, channels, multiplier) has its elements where (size…, 1, channels * multiplier) has them. */
    ls_shape kernel = v[1]->shape;
    int64_t channels = kernel.dim[rank], filters;
    if (channels != v[0]->shape.dim[rank + 1]) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: input %s has %lld channels, kernel %s is for %lld; kernels are (size…, channels, "
                "multiplier)", name, ls_text(v[0]->shape).text, (long long)v[0]->shape.dim[rank + 1],
                ls_text(kernel).text, (long long)channels);
        return LS_NIL;
    }
    if (!ls_checked_mul(channels, kernel.dim[rank + 1], &filters)) {
        ls_fail(ls, LS_OVERFLOW, "%s: kernel %s makes too many channels", name, ls_text(kernel).text);
        return LS_NIL;
    }
    kernel.dim[rank] = channels > 0;
    kernel.dim[rank + 1] = filters;
    ls_conv_options grouped = *o;
    grouped.kernel = ls_reshape(o->kernel, kernel);
    return conv(name, &grouped, channels ? channels : 1);
}

/* The window of the convolution whose input gradient this is: from `image`, the result, to the input. */
static bool transposed(ls_context *ls, const char *name, const ls_conv_transpose_options *o, const ls_shape *x,
                       const ls_shape *kernel, struct ls_window *window)
{
    int rank = x->rank - 2;
    ls_shape image = *x;
    if (o->padding != LS_VALID && o->padding != LS_SAME) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "%s: padding %d; it is LS_VALID or LS_SAME", name, (int)o->padding);
        return false;
    }
    /* One cell for every input, as a convolution of an image of its own size: checks the options. */
    struct ls_window_options options = {name, kernel->dim, o->strides, o->dilations, LS_SAME, NULL};
    if (!ls_window_make(ls, &options, &image, window))
        return false;
    for (int d = 0; d < rank; d++) {
        int at = LS_SPATIAL - rank + d;
        int64_t stride = window->stride[at], span = (window->size[at] - 1) * window->dilation[at] + 1, in = x->dim[1 + d];
        int64_t extra = o->output_padding ? o->output_padding[d] : 0;
        if (extra < 0 || (extra > 0 && extra >= stride)) {
            ls_fail(ls, LS_INVALID_ARGUMENT, "%s: output_padding %lld in dimension %d is not in [0, %lld), the stride", name,
                    (long long)extra, d, (long long)stride);
            return false;
        }
        if (in > INT32_MAX / (stride + 1)) {
            ls_fail(ls, LS_INVALID_ARGUMENT, "%s: dimension %d of %s by a stride of %lld is too long", name, d,
                    ls_text(*x).text, (long long)stride);
            return false;
        }
        if (!o->output_padding && o->padding == LS_VALID)
            extra = stride > span ? stride - span : 0;
        int64_t out = (in - 1) * stride + (o->padding == LS_VALID ? span : span % 2) + extra;
        if (!o->output_padding && o->padding == LS_SAME)
            out = in * stride;
        out = in == 0 || out < 0 ? 0 : out;
        int64_t missing = (in - 1) * stride + span - out;
        window->in[at] = out;
        window->out[at] = in;
        window->before[at] = o->padding == LS_SAME && missing > 0 ? missing / 2 : 0;
    }
    return true;
}

ls_tensor ls_conv_transpose_with(const ls_conv_transpose_options *o)
{
    static const char name[] = "conv_transpose";
    const struct ls_value *v[3];
    if (!o)
        return ls_op_no_options(name);
    ls_tensor in[] = {o->input, o->kernel, o->bias};
    int inputs = o->bias.context ? 3 : 2;
    ls_context *ls = ls_op_enter(name, in, inputs, v);
    int rank = ls ? check(ls, name, v, inputs, o->activation) : 0;
    if (!rank)
        return LS_NIL;
    const ls_shape *y = &v[0]->shape, *kernel = &v[1]->shape;
    if (kernel->dim[rank + 1] != y->dim[rank + 1]) {
        ls_fail(ls, LS_SHAPE_MISMATCH, "%s: input %s has %lld channels, kernel %s is for %lld; kernels are (size…, filters, "
                "channels)", name, ls_text(*y).text, (long long)y->dim[rank + 1], ls_text(*kernel).text,
                (long long)kernel->dim[rank + 1]);
        return LS_NIL;
    }
    /* The result is what the convolution calls its input. */
    struct passing p = {LS_CONV_INPUT, {0}, rank, 1, kernel->dim[rank], kernel->dim[rank + 1], o->activation};
    if (!check_bias(ls, name, v, inputs, p.channels) || !transposed(ls, name, o, y, kernel, &p.window))
        return LS_NIL;
    return run(&p, name, in, inputs);
}
