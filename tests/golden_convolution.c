/* SPDX-License-Identifier: Apache-2.0
 *
 * How the ops of golden/cases_convolution.py are called. Attributes are said beside each function.
 */
#include <string.h>

#include <lockstep/ops.h>

#include "golden.h"

static void copy_attrs(int64_t *to, const struct golden_case *c, int first, int count)
{
    memcpy(to, c->attr + first, (size_t)count * sizeof *to);
}

/* attrs: padding, groups, activation, three strides, three dilations, three pairs of pads */
static ls_conv_options conv_options(const struct golden_case *c, const ls_tensor *in)
{
    ls_conv_options o = {.input = in[0], .kernel = in[1], .padding = (ls_padding)c->attr[0], .groups = c->attr[1],
                         .activation = (ls_activation)c->attr[2]};
    if (c->inputs == 3)
        o.bias = in[2];
    copy_attrs(o.strides, c, 3, 3);
    copy_attrs(o.dilations, c, 6, 3);
    copy_attrs(o.pads[0], c, 9, 2);
    copy_attrs(o.pads[1], c, 11, 2);
    copy_attrs(o.pads[2], c, 13, 2);
    return o;
}

static int call_conv(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_conv_options o = conv_options(c, in);
    (void)ls;
    out[0] = ls_conv_with(&o);
    return 1;
}

static int call_depthwise_conv(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_conv_options o = conv_options(c, in);
    (void)ls;
    out[0] = ls_depthwise_conv_with(&o);
    return 1;
}

/* attrs: padding, whether there is output_padding, activation, three strides, dilations, output_paddings */
static int call_conv_transpose(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_conv_transpose_options o = {.input = in[0], .kernel = in[1], .padding = (ls_padding)c->attr[0],
                                   .output_padding = c->attr[1] ? c->attr + 9 : NULL,
                                   .activation = (ls_activation)c->attr[2]};
    (void)ls;
    if (c->inputs == 3)
        o.bias = in[2];
    copy_attrs(o.strides, c, 3, 3);
    copy_attrs(o.dilations, c, 6, 3);
    out[0] = ls_conv_transpose_with(&o);
    return 1;
}

/* attrs: padding, three sizes, three strides */
static int call_pool(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    ls_pool_options o = {.input = in[0], .padding = (ls_padding)c->attr[0]};
    (void)ls;
    copy_attrs(o.pool_size, c, 1, 3);
    copy_attrs(o.strides, c, 4, 3);
    out[0] = strcmp(c->op, "max_pool") == 0 ? ls_max_pool_with(&o) : ls_average_pool_with(&o);
    return 1;
}

/* attrs: three sizes */
static int call_adaptive_max_pool(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_adaptive_max_pool(in[0], c->attr);
    return 1;
}

static int call_adaptive_average_pool(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_adaptive_average_pool(in[0], c->attr);
    return 1;
}

/* attrs: keepdims */
static int call_global_max_pool(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_global_max_pool(in[0], c->attr[0] != 0);
    return 1;
}

static int call_global_average_pool(ls_context *ls, const struct golden_case *c, const ls_tensor *in, ls_tensor *out)
{
    (void)ls;
    out[0] = ls_global_average_pool(in[0], c->attr[0] != 0);
    return 1;
}

/* clang-format off */
#define CALL(op) {#op, call_##op}
const struct golden_entry golden_convolution_ops[] = {
    CALL(conv), CALL(depthwise_conv), CALL(conv_transpose), {"max_pool", call_pool}, {"average_pool", call_pool},
    CALL(adaptive_max_pool), CALL(adaptive_average_pool), CALL(global_max_pool), CALL(global_average_pool),
    {0},
};
#undef CALL
/* clang-format on */
