# SPDX-License-Identifier: Apache-2.0
"""Goldens of convolution and pooling. Convolutions are composed of slices and products, because
TensorFlow's own lack some gradients on CPUs; where it has the op, the values are compared with it."""

import itertools

import keras
import numpy as np
import tensorflow as tf

from engine import Family, Random

VALID, SAME, CAUSAL, EXPLICIT = range(4)
ACTIVATIONS = {"linear": (0, tf.identity), "relu": (1, tf.nn.relu), "sigmoid": (2, tf.sigmoid), "tanh": (3, tf.tanh)}


def three(values, fill=0):
    return [*values, *[fill] * (3 - len(values))]


def padded(x, size, strides, dilations, padding, pads, value=0.0):
    around = [[0, 0]]
    for n, k, s, d, p in zip(x.shape[1:-1], size, strides, dilations, pads):
        span = (k - 1) * d + 1
        missing = max((-(-n // s) - 1) * s + span - n, 0)
        around.append({VALID: [0, 0], SAME: [missing // 2, missing - missing // 2], CAUSAL: [span - 1, 0],
                       EXPLICIT: p}[padding])
    return tf.pad(x, [*around, [0, 0]], constant_values=value)


def convolution(x, kernel, strides, dilations, padding, pads, groups=1):
    rank = len(x.shape) - 2
    size = kernel.shape[:rank]
    x = padded(x, size, strides, dilations, padding, pads)
    outs = [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(x.shape[1:-1], size, strides, dilations)]
    channels, filters = x.shape[-1] // groups, kernel.shape[-1] // groups
    results = []
    for g in range(groups):
        total = 0
        for j in itertools.product(*[range(k) for k in size]):
            window = tuple(slice(a * d, a * d + (o - 1) * s + 1, s)
                           for a, d, o, s in zip(j, dilations, outs, strides))
            part = x[(slice(None), *window, slice(g * channels, (g + 1) * channels))]
            total += tf.tensordot(part, kernel[(*j, slice(None), slice(g * filters, (g + 1) * filters))], 1)
        results.append(total)
    return tf.concat(results, -1)


def conv(f):
    def case(name, shape, kernel, bias=False, strides=(), dilations=(), padding=VALID, pads=(), groups=1,
             activation="linear", like=None, order=2):
        rank = len(shape) - 2
        random = Random(f"conv/{name}")
        code, function = ACTIVATIONS[activation]
        s, d = (tuple(strides) or (1,) * rank), (tuple(dilations) or (1,) * rank)
        p = list(pads) or [[0, 0]] * rank

        def op(x, kernel, *bias):
            y = convolution(x, kernel, s, d, padding, p, groups)
            return function(y + bias[0] if bias else y)
        inputs = [random.uniform(shape), random.uniform(kernel), *([random.uniform(kernel[-1:])] if bias else [])]
        if like:
            theirs = keras.ops.conv(inputs[0], inputs[1], s, like, "channels_last", d)
            ours = convolution(tf.constant(inputs[0]), tf.constant(inputs[1]), s, d, padding, p, groups)
            np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-5)
        f.case(name, "conv", op, inputs, order=order,
               attrs=[padding, groups, code, *three(strides), *three(dilations), *np.ravel([*p, *[[0, 0]] * (3 - rank)])])

    case("2d_valid", (2, 3, 3, 2), (2, 2, 2, 2), like="valid")
    case("2d_same", (1, 4, 3, 2), (3, 3, 2, 2), padding=SAME, like="same")
    case("2d_same_even", (1, 3, 4, 1), (2, 4, 1, 2), padding=SAME, like="same")
    case("2d_strides", (1, 5, 6, 2), (3, 2, 2, 2), strides=(2, 3), like="valid")
    case("2d_strides_same", (1, 5, 4, 1), (3, 3, 1, 2), strides=(2, 2), padding=SAME, like="same")
    case("2d_stride_above_kernel", (1, 7, 5, 1), (2, 1, 1, 2), strides=(3, 2), like="valid")
    case("2d_dilations", (1, 6, 5, 1), (3, 2, 1, 2), dilations=(2, 3), like="valid")
    case("2d_dilations_same", (1, 4, 4, 1), (3, 3, 1, 1), dilations=(2, 2), padding=SAME, like="same")
    case("2d_kernel_above_input", (1, 2, 2, 2), (5, 4, 2, 1), padding=SAME, like="same")
    case("2d_explicit", (1, 3, 3, 1), (2, 3, 1, 2), padding=EXPLICIT, pads=[[2, 0], [1, 3]], strides=(2, 1))
    case("2d_groups", (1, 3, 2, 4), (2, 2, 2, 6), groups=2)
    case("2d_groups_strides", (1, 4, 4, 3), (3, 2, 1, 3), groups=3, strides=(2, 2), padding=SAME)
    case("2d_one", (2, 2, 2, 3), (1, 1, 3, 2), like="valid")
    for activation in ACTIVATIONS:
        case(f"2d_bias_{activation}", (1, 2, 3, 2), (2, 2, 2, 2), bias=True, activation=activation)
    case("2d_relu_alone", (1, 3, 3, 2), (2, 2, 2, 3), padding=SAME, activation="relu")
    case("2d_groups_bias", (1, 3, 2, 4), (2, 2, 2, 4), groups=2, bias=True, activation="tanh")
    case("1d_valid", (2, 5, 2), (3, 2, 2), like="valid")
    case("1d_same", (1, 5, 2), (4, 2, 2), padding=SAME, strides=(2,), like="same")
    case("1d_causal", (2, 5, 2), (3, 2, 2), padding=CAUSAL, bias=True)
    case("1d_causal_dilated", (1, 7, 1), (3, 1, 2), padding=CAUSAL, dilations=(2,))
    case("1d_causal_strides", (1, 7, 1), (2, 1, 2), padding=CAUSAL, strides=(3,))
    case("3d_valid", (1, 3, 2, 3, 2), (2, 2, 2, 2, 2), like="valid")
    case("3d_same", (1, 2, 3, 2, 1), (2, 3, 2, 1, 2), padding=SAME, strides=(2, 1, 2))
    case("no_batch", (0, 3, 3, 2), (2, 2, 2, 2), bias=True)
    case("no_filters", (1, 3, 3, 2), (2, 2, 2, 0))
    case("no_channels", (1, 3, 3, 0), (2, 2, 0, 2), bias=True)


def depthwise(f):
    def case(name, shape, kernel, bias=False, strides=(), dilations=(), padding=VALID, like=None):
        rank = len(shape) - 2
        random = Random(f"depthwise/{name}")
        s, d = (tuple(strides) or (1,) * rank), (tuple(dilations) or (1,) * rank)

        def op(x, kernel, *bias):
            flat = tf.reshape(kernel, (*kernel.shape[:-2], 1, kernel.shape[-2] * kernel.shape[-1]))
            y = convolution(x, flat, s, d, padding, [[0, 0]] * rank, x.shape[-1])
            return y + bias[0] if bias else y
        inputs = [random.uniform(shape), random.uniform(kernel),
                  *([random.uniform((kernel[-1] * kernel[-2],))] if bias else [])]
        if like:
            theirs = keras.ops.depthwise_conv(inputs[0], inputs[1], s, like, "channels_last", d)
            np.testing.assert_allclose(theirs, op(*[tf.constant(x) for x in inputs[:2]]), rtol=1e-4, atol=1e-5)
        f.case(name, "depthwise_conv", op, inputs,
               attrs=[padding, 0, 0, *three(strides), *three(dilations), 0, 0, 0, 0, 0, 0])

    case("plain", (1, 3, 4, 3), (2, 2, 3, 1), like="valid")
    case("multiplier", (1, 3, 3, 2), (2, 2, 2, 3), bias=True, like="valid")
    case("same_strides", (1, 4, 3, 2), (3, 2, 2, 2), strides=(2, 2), padding=SAME, like="same")
    case("dilations", (1, 4, 5, 2), (2, 2, 2, 1), dilations=(2, 3), like="valid")
    case("1d", (1, 5, 2), (3, 2, 2), padding=SAME, like="same")
    case("3d", (1, 2, 3, 2, 2), (2, 2, 1, 2, 2))
    case("no_batch", (0, 3, 3, 2), (2, 2, 2, 1))


def transposed(f):
    def case(name, shape, kernel, bias=False, strides=(), dilations=(), padding=VALID, extra=None, activation="linear"):
        rank = len(shape) - 2
        random = Random(f"conv_transpose/{name}")
        code, function = ACTIVATIONS[activation]
        s, d = (tuple(strides) or (1,) * rank), (tuple(dilations) or (1,) * rank)

        def op(x, kernel, *bias):
            """Input cells are set `stride` apart among zeros, and the kernel, turned around, runs over them."""
            result, pads = x, []
            for axis in range(rank):
                n, stride = x.shape[1 + axis], s[axis]
                span = (kernel.shape[axis] - 1) * d[axis] + 1
                more = 0 if extra is None else extra[axis]
                if padding == VALID:
                    out = (n - 1) * stride + span + (max(stride - span, 0) if extra is None else more)
                    before = 0
                else:
                    out = n * stride if extra is None else (n - 1) * stride + span % 2 + more
                    before = max((n - 1) * stride + span - out, 0) // 2
                whole = (n - 1) * stride + 1
                shape = [*result.shape[:1 + axis], n, 1, *result.shape[2 + axis:]]
                result = tf.reshape(result, shape)
                result = tf.pad(result, [[0, stride - 1 if i == 2 + axis else 0] for i in range(len(shape))])
                result = tf.reshape(result, [*shape[:1 + axis], n * stride, *shape[3 + axis:]])
                result = result[(slice(None),) * (1 + axis) + (slice(0, whole),)]
                pads.append([span - 1 - before, out + before - whole])
            cut = tuple(slice(max(-a, 0), max(n + b, 0) if b < 0 else None)
                        for (a, b), n in zip(pads, result.shape[1:-1]))
            result = result[(slice(None), *cut)]
            result = tf.pad(result, [[0, 0], *[[max(a, 0), max(b, 0)] for a, b in pads], [0, 0]])
            turned = tf.reverse(tf.linalg.matrix_transpose(kernel), list(range(rank)))
            y = convolution(result, turned, (1,) * rank, d, VALID, [[0, 0]] * rank)
            return function(y + bias[0] if bias else y)
        inputs = [random.uniform(shape), random.uniform(kernel), *([random.uniform(kernel[-2:-1])] if bias else [])]
        if 0 not in shape:
            theirs = keras.ops.conv_transpose(inputs[0], inputs[1], s, ["valid", "same"][padding], extra, "channels_last", d)
            if activation == "linear":
                bias_of = inputs[2] if bias else 0
                np.testing.assert_allclose(theirs + bias_of, op(*[tf.constant(x) for x in inputs]), rtol=1e-4, atol=1e-5)
        f.case(name, "conv_transpose", op, inputs,
               attrs=[padding, extra is not None, code, *three(strides), *three(dilations), *three(extra or [])])

    case("valid", (1, 2, 2, 2), (2, 3, 2, 2))
    case("same", (1, 3, 2, 2), (3, 3, 2, 2), padding=SAME)
    case("strides_valid", (1, 2, 3, 2), (3, 2, 2, 2), strides=(2, 2))
    case("strides_same", (2, 2, 2, 2), (4, 3, 1, 2), strides=(2, 2), padding=SAME, bias=True, activation="relu")
    case("stride_above_kernel", (1, 3, 2, 1), (2, 1, 2, 1), strides=(3, 2))
    case("stride_above_kernel_same", (1, 3, 2, 1), (2, 1, 2, 1), strides=(3, 2), padding=SAME)
    case("output_padding", (1, 3, 2, 1), (3, 3, 2, 1), strides=(2, 2), padding=SAME, extra=[1, 1])
    case("output_padding_zero", (1, 3, 3, 1), (3, 3, 1, 1), strides=(2, 2), padding=SAME, extra=[0, 0])
    case("output_padding_valid", (1, 2, 3, 1), (3, 2, 2, 1), strides=(2, 2), extra=[1, 0])
    case("1d", (2, 4, 2), (3, 2, 2), strides=(2,), bias=True)
    case("1d_same", (1, 4, 2), (4, 1, 2), strides=(2,), padding=SAME)
    case("3d", (1, 2, 2, 1, 2), (2, 2, 2, 1, 2), strides=(2, 1, 2))
    case("no_batch", (0, 3, 2, 2), (2, 3, 3, 2))


def pools(f):
    def case(op, name, shape, size, strides=(), padding=VALID, inputs=None, kink=False):
        rank = len(shape) - 2
        s = tuple(strides) or tuple(size)
        own = {"max_pool": {1: tf.nn.max_pool1d, 2: tf.nn.max_pool2d, 3: tf.nn.max_pool3d},
               "average_pool": {1: tf.nn.avg_pool1d, 2: tf.nn.avg_pool2d, 3: tf.nn.avg_pool3d}}[op][rank]

        def windows(x, value):
            x = padded(x, size, s, (1,) * rank, padding, [None] * rank, value)
            outs = [(n - k) // t + 1 for n, k, t in zip(x.shape[1:-1], size, s)]
            return tf.stack([x[(slice(None), *[slice(a, a + (o - 1) * t + 1, t) for a, o, t in zip(j, outs, s)])]
                             for j in itertools.product(*[range(k) for k in size])], -1)

        def function(x):
            if op == "average_pool":
                return tf.reduce_sum(windows(x, 0.0), -1) / tf.reduce_sum(windows(tf.ones_like(x), 0.0), -1)
            parts = windows(x, -1e30)
            return tf.gather(parts, tf.argmax(parts, -1), axis=-1, batch_dims=rank + 2)
        x = Random(f"{op}/{name}").uniform(shape) if inputs is None else inputs
        theirs = own(x, size, s, ["VALID", "SAME"][padding])
        np.testing.assert_allclose(theirs, function(tf.constant(x)), rtol=1e-5, atol=1e-6)
        f.case(name, op, function, [x], attrs=[padding, *three(size), *three(strides)], kink=kink)

    for op in ("max_pool", "average_pool"):
        case(op, "2d", (2, 4, 5, 2), (2, 2))
        case(op, "2d_same", (1, 5, 4, 2), (3, 3), (2, 2), SAME)
        case(op, "2d_overlapping", (1, 4, 4, 2), (3, 2), (1, 1))
        case(op, "2d_overlapping_same", (1, 3, 4, 1), (3, 3), (1, 1), SAME)
        case(op, "2d_stride_above_size", (1, 7, 5, 1), (2, 1), (3, 2))
        case(op, "2d_above_input_same", (1, 2, 2, 1), (4, 5), (1, 1), SAME)
        case(op, "1d", (2, 5, 2), (2,))
        case(op, "1d_same", (1, 5, 2), (3,), (2,), SAME)
        case(op, "3d", (1, 3, 2, 4, 2), (2, 2, 2), (1, 2, 2))
        case(op, "3d_same", (1, 3, 2, 3, 1), (2, 2, 2), (2, 2, 2), SAME)
        case(op, "no_batch", (0, 4, 4, 2), (2, 2))
    def adaptive(op, name, shape, sizes, inputs=None, kink=False):
        rank = len(shape) - 2
        reduce = tf.reduce_mean if op == "adaptive_average_pool" else first_max

        def function(x):
            cells = []
            for o in itertools.product(*[range(n) for n in sizes]):
                window = tuple(slice(i * n // m, -((i + 1) * n // -m)) for i, n, m in zip(o, shape[1:-1], sizes))
                cells.append(reduce(tf.reshape(x[(slice(None), *window)], (shape[0], -1, shape[-1])), 1))
            return tf.reshape(tf.stack(cells, 1), (shape[0], *sizes, shape[-1]))
        x = Random(f"{op}/{name}").uniform(shape) if inputs is None else inputs
        f.case(name, op, function, [x], attrs=three(sizes), kink=kink)

    def first_max(x, axis):
        return tf.gather(tf.transpose(x, (0, 2, 1)), tf.argmax(x, axis), axis=2, batch_dims=2)

    for op in ("adaptive_max_pool", "adaptive_average_pool"):
        adaptive(op, "2d", (2, 5, 4, 2), (2, 3))
        adaptive(op, "2d_dividing", (1, 4, 6, 1), (2, 3))
        adaptive(op, "2d_growing", (1, 2, 3, 1), (3, 4))
        adaptive(op, "1d", (2, 7, 2), (3,))
        adaptive(op, "3d", (1, 3, 2, 4, 1), (2, 2, 3))
    adaptive("adaptive_max_pool", "ties", (1, 5, 1), (2,), np.float32([1, 2, 2, 2, 1]).reshape(1, 5, 1), True)
    for op, reduce in {"global_max_pool": tf.reduce_max, "global_average_pool": tf.reduce_mean}.items():
        for keepdims in (False, True):
            for rank in (1, 2, 3):
                f.case(f"{rank}d_{keepdims}".lower(), op,
                       lambda x, r=reduce, n=rank, k=keepdims: r(x, list(range(1, 1 + n)), keepdims=k),
                       [Random(f"{op}/{rank}").uniform((2, *[2, 3, 2][:rank], 2))], attrs=[keepdims])

    # Ties go to the first element of the window.
    tied = np.float32([[1, 1, 2, 0], [1, 1, 2, 2], [-1, 0, 0, 0], [-1, -1, 0, 0]]).reshape(1, 4, 4, 1)
    case("max_pool", "ties", (1, 4, 4, 1), (2, 2), inputs=tied, kink=True)
    case("max_pool", "ties_overlapping", (1, 4, 4, 1), (3, 3), (1, 1), SAME, inputs=tied, kink=True)


def families():
    result = [Family("convolution"), Family("pooling")]
    conv(result[0])
    depthwise(result[0])
    transposed(result[0])
    pools(result[1])
    return result
