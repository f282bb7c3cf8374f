# SPDX-License-Identifier: Apache-2.0
"""Goldens of what moves, reduces, scans, orders and normalises; called by tests/golden_arrays.c."""

import numpy as np
import tensorflow as tf

from engine import Family, Random


def arrange(f):
    def random(name, *shape):
        return Random(f"arrange/{name}").uniform(shape)

    f.case("all", "squeeze", tf.squeeze, [random("squeeze", 1, 2, 1, 3)])
    f.case("some", "squeeze", lambda x: tf.squeeze(x, [2]), [random("squeeze", 1, 2, 1, 3)], attrs=[-2])
    f.case("ends", "moveaxis", lambda x: tf.transpose(x, (1, 2, 0)), [random("move", 2, 3, 2)], attrs=[0, -1])
    f.case("back", "moveaxis", lambda x: tf.transpose(x, (2, 0, 1)), [random("move", 2, 3, 2)], attrs=[2, 0])
    f.case("ends", "swapaxes", lambda x: tf.transpose(x, (2, 1, 0)), [random("swap", 2, 3, 2)], attrs=[0, 2])
    for axis in (0, 1, -1):
        f.case(f"axis_{axis}", "stack", lambda x, y, z, a=axis: tf.stack([x, y, z], a),
               [random(f"stack{i}", 2, 2) for i in range(3)], attrs=[axis])
    f.case("scalars", "stack", lambda x, y: tf.stack([x, y]), [random("s"), random("t")], attrs=[0])
    x = random("unstack", 2, 3)
    f.exact("columns", "unstack", [x], [x[:, i].copy() for i in range(3)], attrs=[1])
    x = random("split", 2, 5)
    f.exact("uneven", "split", [x], [x[:, :2].copy(), x[:, 2:2].copy(), x[:, 2:].copy()], attrs=[1, 2, 0, 3])
    f.case("gradient", "split", lambda x: tf.identity(x[:1]), [x[:1]], attrs=[0, 1])
    f.case("first", "flip", lambda x: tf.reverse(x, [0]), [random("flip", 3, 2)], attrs=[0])
    f.case("all", "flip", lambda x: tf.reverse(x, [0, 1]), [random("flip", 3, 2)])
    f.case("empty", "flip", lambda x: tf.reverse(x, [0]), [random("flip_empty", 0, 2)], attrs=[0])
    for shift in (2, -1, 7, 5):
        f.case(f"by_{shift}", "roll", lambda x, s=shift: tf.roll(x, s, 0), [random("roll", 5, 2)], attrs=[shift, 0])
    f.case("both", "tile", lambda x: tf.tile(x, (2, 3)), [random("tile", 2, 2)], attrs=[2, 3])
    f.case("none", "tile", lambda x: tf.tile(x, (0, 2)), [random("tile", 2, 2)], attrs=[0, 2])
    f.case("middle", "repeat", lambda x: tf.repeat(x, 3, 1), [random("repeat", 2, 2, 2)], attrs=[3, 1])
    for mode, name in enumerate(("constant", "reflect", "symmetric")):
        f.case(name, "pad", lambda x, m=name: tf.pad(x, ((1, 2), (0, 2)), m), [random("pad", 4, 3)],
               attrs=[mode, 1, 0, 2, 2])
    f.case("widest_reflect", "pad", lambda x: tf.pad(x, ((2, 2),), "reflect"), [random("pad", 3)], attrs=[1, 2, 2])
    f.case("widest_symmetric", "pad", lambda x: tf.pad(x, ((3, 3),), "symmetric"), [random("pad", 3)], attrs=[2, 3, 3])
    f.case("value", "pad", lambda x: tf.pad(x, ((1, 0), (2, 1)), constant_values=-1.5), [random("pad", 2, 2)],
           attrs=[0, 1, 2, 0, 1], reals=[-1.5])


def statistics(f):
    def random(name, *shape):
        return Random(f"statistics/{name}").uniform(shape)

    def norm(x, order, axes, keep):
        if order == 3:
            return tf.reduce_max(tf.abs(x), axes, keep)
        return tf.reduce_sum(tf.abs(x), axes, keep) if order == 1 else tf.sqrt(tf.reduce_sum(x * x, axes, keep))

    def product(x, axes, keep):
        """By hand, because tf.reduce_prod has no second order where there are zeros."""
        axes = sorted((a % len(x.shape) for a in (axes if axes else range(len(x.shape)))), reverse=True)
        for a in axes:
            parts = tf.unstack(x, axis=a)
            y = tf.ones_like(parts[0]) if parts else tf.ones([d for i, d in enumerate(x.shape) if i != a], x.dtype)
            for part in parts:
                y = y * part
            x = tf.expand_dims(y, a)
        return x if keep else tf.squeeze(x, axes)

    zeros = np.float32([[0, 2, -3], [1.5, 0.5, -1], [0, 0, 3], [0, 0, 0]])
    for name, x, axes, keep in [("rows", random("prod", 3, 4), [1], 0), ("columns", random("prod", 3, 4), [0], 1),
                                ("all", random("prod", 2, 3), [], 0), ("outer", random("prod3", 2, 3, 2), [0, -1], 0),
                                ("zeros", zeros, [1], 0)]:
        f.case(name, "prod", lambda x, a=axes, k=keep: product(x, a, k), [x], attrs=[keep, *axes])
    f.exact("nothing", "prod", [np.zeros((2, 0), np.float32)], [np.float32([1, 1])], attrs=[0, 1])
    f.exact("int32", "prod", [np.int32([[3, -5], [1 << 20, 1 << 13]])], [np.int32([-15, 0])], attrs=[0, 1])
    flags = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 0]], np.bool_)
    for op, function in {"all": np.all, "any": np.any}.items():
        f.exact("rows", op, [flags], [function(flags, 1)], attrs=[0, 1])
        f.exact("keep", op, [flags], [function(flags, 0, keepdims=True)], attrs=[1, 0])
        f.exact("everything", op, [flags], [np.array(function(flags))], attrs=[0])
        f.exact("nothing", op, [flags[:, :0]], [function(flags[:, :0], 1)], attrs=[0, 1])
    x = np.float32([[0, 1, -0.0], [np.nan, 2, 1e-30]])
    f.exact("rows", "count_nonzero", [x], [np.int32([1, 3])], attrs=[0, 1])
    f.exact("ints", "count_nonzero", [np.int32([[4, 0], [0, 0]])], [np.int32(1)], attrs=[0])
    f.exact("flags", "count_nonzero", [flags], [np.int32([[2, 2, 1]])], attrs=[1, 0])
    for op, function in {"var": tf.math.reduce_variance, "std": tf.math.reduce_std}.items():
        for name, axes, keep in [("rows", [1], 0), ("columns", [0], 1), ("all", [], 0)]:
            f.case(name, op, lambda x, a=axes or None, k=bool(keep), o=function: o(x, a, k), [random(op, 3, 4)],
                   attrs=[keep, *axes])
    x = random("moments", 3, 2, 2)
    f.exact("two", "moments", [x], [np.mean(x, (0, 1), np.float64), np.var(x.astype(np.float64), (0, 1))],
            attrs=[0, 0, 1], bounds=[2e-6, 4e-6])
    for name, axes, keep in [("rows", [1], 0), ("outer", [0, 2], 1), ("all", [], 0)]:
        f.case(name, "logsumexp", lambda x, a=axes or None, k=bool(keep): tf.reduce_logsumexp(x, a, k),
               [4 * random("logsumexp", 2, 3, 2)], attrs=[keep, *axes])
    f.exact("extremes", "logsumexp", [np.float32([[-np.inf, -np.inf], [np.inf, 1], [1e30, 1e30], [-np.inf, 2]])],
            [np.float32([-np.inf, np.inf, 1e30, 2])], attrs=[0, 1])
    f.exact("nothing", "logsumexp", [np.zeros((2, 0), np.float32)], [np.float32([-np.inf, -np.inf])], attrs=[0, 1])
    for order in (1, 2, 3):
        for name, axes, keep in [("rows", [1], 0), ("all", [], 1)]:
            f.case(f"{name}_{order}", "norm", lambda x, o=order, a=axes or None, k=bool(keep): norm(x, o, a, k),
                   [random("norm", 3, 4)], attrs=[order, keep, *axes])
    f.case("zero", "norm", lambda x: tf.reduce_sum(0 * x, 1), [np.zeros((2, 3), np.float32)], attrs=[2, 0, 1], order=1,
           kink=True)
    f.exact("int32", "argmax", [np.int32([[3, 7, 7], [-5, -6, -7]])], [np.int32([1, 0])], attrs=[1])
    f.exact("int32", "argmin", [np.int32([[3, 7, 7], [-5, -6, -7]])], [np.int32([1, 1, 1])], attrs=[0])


def scans(f):
    def products(x, axis, exclusive, reverse):
        """By hand, because tf.math.cumprod divides by zeros in its gradient."""
        parts = tf.unstack(x, axis=axis)
        y, state = [], tf.ones_like(parts[0])
        for part in parts[::-1] if reverse else parts:
            y.append(state if exclusive else state * part)
            state = state * part
        return tf.stack(y[::-1] if reverse else y, axis)

    def recurrence(a, b, axis, reverse):
        steps = list(zip(tf.unstack(a, axis=axis), tf.unstack(b, axis=axis)))
        y, state = [], tf.zeros_like(steps[0][1])
        for factor, addend in steps[::-1] if reverse else steps:
            state = factor * state + addend
            y.append(state)
        return tf.stack(y[::-1] if reverse else y, axis)

    x = Random("scans").uniform((2, 4))
    zeros = np.float32([[0, 2, -3, 1], [1, 0, 0, 2], [2, -1, 0.5, 0]])
    for form in range(4):
        exclusive, reverse = bool(form & 1), bool(form & 2)
        name = ("exclusive" if exclusive else "inclusive") + ("_reverse" if reverse else "")
        attrs = [1, exclusive, reverse]
        f.case(name, "cumsum", lambda x, e=exclusive, r=reverse: tf.cumsum(x, 1, e, r), [x], attrs=attrs)
        f.case(name, "cumprod", lambda x, e=exclusive, r=reverse: products(x, 1, e, r), [x], attrs=attrs)
        f.case("zeros_" + name, "cumprod", lambda x, e=exclusive, r=reverse: products(x, 1, e, r), [zeros], attrs=attrs)
    f.case("columns", "cumsum", lambda x: tf.cumsum(x, 0), [x], attrs=[-2, 0, 0])
    f.case("empty", "cumsum", lambda x: tf.cumsum(x, 1), [x[:, :0]], attrs=[1, 0, 0])
    f.exact("int32", "cumsum", [np.int32([1, -2, 2147483647, 5])], [np.int32([1, -1, 2147483646, -2147483645])],
            attrs=[0, 0, 0])
    f.exact("int32", "cumprod", [np.int32([3, -2, 1 << 30, 5])], [np.int32([3, -6, -2147483648, -2147483648])],
            attrs=[0, 0, 0])
    for name, axis, reverse in [("rows", 1, 0), ("back", 1, 1), ("columns", 0, 0)]:
        a = Random(f"recurrence/{name}").uniform((2, 4))
        f.case(name, "linear_recurrence", lambda a, b, t=axis, r=reverse: recurrence(a, b, t, r), [a, x],
               attrs=[axis, reverse])


def layers(f):
    def random(name, *shape, low=-2.0, high=2.0):
        return Random(f"layers/{name}").uniform(shape, low, high)

    def normalize(x, axes, epsilon):
        centred = x - tf.reduce_mean(x, axes, keepdims=True)
        return centred / tf.sqrt(tf.reduce_mean(centred * centred, axes, keepdims=True) + epsilon)

    epsilon = np.float32(0.125)  # exact in both precisions
    f.case("whole", "batch_normalization", lambda x, m, v, b, s: (x - m) / tf.sqrt(v + epsilon) * s + b,
           [random("x", 3, 2), random("m", 2), random("v", 2, low=0.5), random("b", 2), random("s", 2)], reals=[epsilon])
    f.case("bare", "batch_normalization", lambda x, m, v: (x - m) / tf.sqrt(v + epsilon),
           [random("x", 3, 2), random("m", 2), random("v", 2, low=0.5)], reals=[epsilon])
    f.case("last", "layer_normalization", lambda x, s, b: normalize(x, [-1], epsilon) * s + b,
           [random("x", 3, 4), random("s", 4), random("b", 4)], attrs=[-1], reals=[epsilon])
    f.case("two", "layer_normalization", lambda x: normalize(x, [1, 2], epsilon), [random("x", 2, 2, 3)], attrs=[1],
           reals=[epsilon])
    f.case("last", "rms_normalization",
           lambda x, s: x / tf.sqrt(tf.reduce_mean(x * x, -1, keepdims=True) + epsilon) * s,
           [random("x", 3, 4), random("s", 4)], attrs=[-1], reals=[epsilon])
    f.case("images", "group_normalization",
           lambda x, s, b: tf.reshape(normalize(tf.reshape(x, (2, 3, 2, 2)), [1, 3], epsilon), (2, 3, 4)) * s + b,
           [random("x", 2, 3, 4), random("s", 4), random("b", 4)], attrs=[2], reals=[epsilon])

    from cases_random import uniform
    for seed, rate in ((3, 0.5), (42, 0.2)):
        rate = np.float32(rate)
        scale = np.float32(1) / (np.float32(1) - rate)
        kept = uniform(seed, 0, (3, 4), 0, 1) >= float(rate)
        f.case(f"seed_{seed}", "dropout", lambda x, k=kept, s=float(scale): tf.where(k, x * tf.cast(s, x.dtype), 0 * x),
               [random("dropout", 3, 4)], attrs=[seed], reals=[rate])
    f.case("none", "dropout", tf.identity, [random("dropout", 3)], attrs=[0], reals=[0])

    f.case("rows", "embedding_lookup", lambda t, i: tf.gather(t, i), [random("table", 4, 2), np.int32([[3, 0], [3, 1]])])
    f.case("unsorted", "segment_sum", lambda x, i: tf.math.unsorted_segment_sum(x, i, 4),
           [random("segments", 5, 2), np.int32([2, 0, 2, 3, 0])], attrs=[4])
    labels = tf.nn.softmax(random("labels", 3, 4)).numpy()
    f.case("soft", "softmax_cross_entropy", lambda z, x: -tf.reduce_sum(z * tf.nn.log_softmax(x), -1),
           [labels, random("logits", 3, 4, low=-4.0, high=4.0)])
    f.case("random", "sigmoid_cross_entropy",
           lambda z, x: tf.math.softplus(x) - x * z,
           [random("z", 2, 4, low=0.0, high=1.0), random("logits2", 2, 4, low=-6.0, high=6.0)])
    f.case("zero", "sigmoid_cross_entropy", lambda z, x: tf.math.softplus(x) - x * z,
           [np.float32([1, 0, 0.5]), np.float32([0, 0, 0])], kink=True)
    f.case("large", "sigmoid_cross_entropy", lambda z, x: tf.math.softplus(x) - x * z,
           [np.float32([1, 0, 1, 0]), np.float32([1000, 1000, -1000, -1000])], order=1, kink=True)

    def attention(q, k, v, mask=None, scale=None):
        s = tf.matmul(q, k, transpose_b=True) * tf.cast(scale or 1 / np.sqrt(np.float32(q.shape[-1])), q.dtype)
        if mask is None:
            return tf.matmul(tf.nn.softmax(s), v)
        e = tf.where(mask, tf.exp(s), tf.zeros_like(s))
        total = tf.reduce_sum(e, -1, keepdims=True)
        return tf.matmul(e / tf.where(total > 0, total, tf.ones_like(total)), v)

    q, k, v = random("q", 2, 3, 4), random("k", 2, 3, 4), random("v", 2, 3, 2)
    f.case("plain", "attention", attention, [q, k, v], attrs=[0])
    f.case("scaled", "attention", lambda q, k, v: attention(q, k, v, scale=0.25), [q[0], k[0], v[0]], attrs=[0],
           reals=[0.25])
    f.case("causal", "attention", lambda q, k, v: attention(q, k, v, np.tril(np.ones((3, 3), bool))), [q[0], k[0], v[0]],
           attrs=[1])
    mask = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], bool)
    f.case("masked", "attention", lambda q, k, v, m: attention(q, k, v, m), [q[0], k[0], v[0], mask], attrs=[0])
    f.case("both", "attention", lambda q, k, v, m: attention(q, k, v, m & np.tril(np.ones((3, 3), bool))),
           [q[0], k[0], v[0], mask], attrs=[1])

    image = random("image", 1, 3, 4, 2)
    for name, height, width in [("up", 5, 7), ("down", 2, 3), ("double", 6, 8), ("same", 3, 4), ("one", 1, 1)]:
        f.case(name, "resize_nearest", lambda x, s=(height, width): resized(x, s, False), [image], attrs=[height, width])
        f.case(name, "resize_bilinear", lambda x, s=(height, width): resized(x, s, True), [image], attrs=[height, width])


def resized(x, size, linear):
    """tf.image.resize by matrices, because it has no float64 gradient. Checked against it."""
    def matrix(n, m):
        w = np.zeros((m, n))
        for i in range(m):
            at = (i + 0.5) * n / m - (0.5 if linear else 0)
            at = min(max(at, 0), n - 1)
            low = int(np.floor(at))
            w[i, low] += 1 - (at - low) if linear else 1
            if linear and low + 1 < n:
                w[i, low + 1] += at - low
        return tf.constant(w, x.dtype)
    y = tf.einsum("hi,wj,bijc->bhwc", matrix(x.shape[1], size[0]), matrix(x.shape[2], size[1]), x)
    theirs = tf.image.resize(tf.cast(x, tf.float32), size, "bilinear" if linear else "nearest")
    np.testing.assert_allclose(y, theirs, atol=1e-5)
    return y


def algebra(f):
    def random(name, *shape):
        return Random(f"algebra/{name}").uniform(shape)

    f.case("vectors", "dot", lambda a, b: tf.tensordot(a, b, 1), [random("a", 5), random("b", 5)])
    f.case("empty", "dot", lambda a, b: tf.tensordot(a, b, 1), [random("a", 0), random("b", 0)])
    f.case("vectors", "outer", lambda a, b: tf.tensordot(a, b, 0), [random("a", 2), random("b", 3)])
    for name, a, b, axes_a, axes_b in [("one", (2, 3, 2), (3, 2), [1], [0]), ("two", (2, 3, 2), (2, 4, 3), [1, 2], [2, 0]),
                                       ("all", (2, 3), (3, 2), [1, 0], [0, 1]), ("none", (2,), (3, 1), [], [])]:
        f.case(name, "tensordot", lambda a, b, x=axes_a, y=axes_b: tf.tensordot(a, b, [x, y]),
               [random("left", *a), random("right", *b)], attrs=[*axes_a, *axes_b])
    for equation, *shapes in [("ij,jk->ik", (2, 3), (3, 2)), ("bij,bkj->bik", (2, 2, 3), (2, 2, 3)),
                              ("bqhd,bkhd->bhqk", (1, 2, 2, 3), (1, 3, 2, 3)), ("i,j->ji", (2,), (3,)),
                              ("ij,ij->", (2, 3), (2, 3)), ("ijk,kl->il", (2, 3, 2), (2, 2)), ("ij->ji", (2, 3)),
                              ("ii->i", (3, 3)), ("ii->", (3, 3)), ("ijk->k", (2, 2, 3)), ("iji,ik->kj", (2, 3, 2), (2, 2)),
                              ("ab,ab->ab", (2, 2), (2, 2)), (",i->i", (), (3,))]:
        name = equation.replace("->", "_to_").replace(",", "_")
        f.case(name, "einsum", lambda *x, e=equation: tf.einsum(e, *x) if "iji" not in e else
               tf.einsum("ij,ik->kj", tf.einsum("iji->ij", x[0]), x[1]),
               [random(f"{name}{i}", *s) for i, s in enumerate(shapes)], attrs=[ord(c) for c in equation])


def order(f):
    def random(name, *shape):
        return Random(f"order/{name}").uniform(shape)

    x = random("take", 3, 4)
    for axis, indices in ((1, [[3, 0], [1, 1], [2, 0]]), (0, [[2, 0, 1, 2]])):
        indices = np.int32(indices)
        f.case(f"axis_{axis}", "take_along_axis",
               lambda x, i, a=axis: tf.experimental.numpy.take_along_axis(x, i, a), [x, indices], attrs=[axis])
    f.case("rows", "gather_nd", lambda x, i: tf.gather_nd(x, i), [random("nd", 3, 2, 2), np.int32([[2, 1], [0, 0], [2, 1]])])
    f.case("elements", "gather_nd", lambda x, i: tf.gather_nd(x, i), [random("nd", 2, 3), np.int32([[[1, 2]], [[0, 1]]])])
    f.case("first", "scatter_update", lambda x, i, u: tf.tensor_scatter_nd_update(x, i[:, None], u),
           [random("base", 4, 2), np.int32([2, 0]), random("updates", 2, 2)], attrs=[0])
    # The last of two updates of row 1 wins and has the gradient.
    f.case("twice", "scatter_update", lambda x, i, u: tf.stack([x[:, 0], u[:, 2], u[:, 1]], 1),
           [random("base", 2, 3), np.int32([1, 2, 1]), random("updates", 2, 3)], attrs=[1])
    for name, axis, descending in [("rows", 1, 0), ("columns", 0, 1)]:
        f.case(name, "sort", lambda x, a=axis, d=descending: tf.sort(x, a, "DESCENDING" if d else "ASCENDING"),
               [random("sort", 3, 5)], attrs=[axis, descending])
    nan, inf = np.nan, np.inf
    special = np.float32([[2, nan, -inf, 0.0, -0.0, inf, -1, 2]])
    f.exact("special", "argsort", [special], [np.int32([[2, 6, 3, 4, 0, 7, 5, 1]])], attrs=[-1, 0])
    f.exact("special_descending", "argsort", [special], [np.int32([[5, 0, 7, 3, 4, 6, 2, 1]])], attrs=[-1, 1])
    f.exact("int32", "argsort", [np.int32([3, -2147483648, 2147483647, 3, -1])], [np.int32([1, 4, 0, 3, 2])], attrs=[0, 0])
    f.exact("int32", "sort", [np.int32([3, -7, 9, 3])], [np.int32([9, 3, 3, -7])], attrs=[0, 1])
    f.case("values", "top_k", lambda x: tf.math.top_k(x, 2)[0], [random("top", 3, 4)], attrs=[2, 0])
    f.exact("ties", "top_k", [np.float32([1, 3, 3, 2, 3])], [np.float32([3, 3, 3]), np.int32([1, 2, 4])], attrs=[3, 1])
    ladder, values = np.float32([-1, 0, 0, 2.5, 7]), np.float32([[0, -3, 7], [2, 8, 2.5]])
    for right, side in enumerate(("left", "right")):
        f.exact(side, "searchsorted", [ladder, values], [np.searchsorted(ladder, values, side).astype(np.int32)],
                attrs=[right])
    f.exact("empty", "searchsorted", [ladder[:0], values], [np.zeros((2, 3), np.int32)], attrs=[0])
    for k in (0, 1, -1, 9):
        f.case(f"k_{k}", "tril", lambda x, k=k: x * np.tril(np.ones((2, 4)), k), [random("tri", 2, 2, 4)], attrs=[k])
        f.case(f"k_{k}", "triu", lambda x, k=k: x * np.triu(np.ones((4, 3)), k), [random("tri", 4, 3)], attrs=[k])
    f.case("batch", "diag", tf.linalg.diag, [random("diag", 2, 3)])
    f.case("wide", "diag_part", tf.linalg.diag_part, [random("diag", 2, 2, 3)])
    f.case("tall", "diag_part", tf.linalg.diag_part, [random("diag", 3, 2)])
    f.exact("wide", "eye", [], [np.eye(2, 3, dtype=np.float32)], attrs=[2, 3])
    for name, *args in [("up", 3, 10, 3), ("down", 2, -5, -2), ("none", 3, 1, 1)]:
        f.exact(name, "range", [], [np.arange(*args, dtype=np.int32)], attrs=args)
    for name, start, stop, n in [("five", -1, 2, 5), ("one", 3, 4, 1), ("none", 0, 1, 0), ("seven", 0.1, 0.7, 7)]:
        truth = np.linspace(np.float32(start), np.float32(stop), n)
        f.exact(name, "linspace", [], [truth], attrs=[n], reals=[start, stop], bounds=[4e-7])
    x, y = random("grid_x", 3), random("grid_y", 2)
    for matrix, name in enumerate(("xy", "ij")):
        f.exact(name, "meshgrid", [x, y], [g.copy() for g in np.meshgrid(x, y, indexing=name)], attrs=[matrix])


def draws(f):
    from cases_random import normal, uniform, words

    def normals(seed, step, stream, n):
        """As normal of cases_random, with a stream."""
        counter = tf.constant([stream << 32, step], tf.uint64)
        w = tf.raw_ops.StatelessRandomUniformFullIntV2(shape=[n], key=tf.constant([seed], tf.uint64), counter=counter,
                                                       alg=1, dtype=tf.uint32).numpy()
        w = (w >> 8).astype(np.float64).reshape(-1, 2)
        radius, turn = np.sqrt(-2 * np.log((w[:, 0] + 1) * 2.0**-24)), 2 * np.pi * w[:, 1] * 2.0**-24
        return np.stack([radius * np.cos(turn), radius * np.sin(turn)], 1).reshape(-1)

    np.testing.assert_array_equal(normals(5, 1, 0, 8), normal(5, 1, (8,), 0, 1))
    z = normals(11, 1, 0, 200)
    assert (np.abs(z) > 2).any()
    for stream in range(1, 8):
        z = np.where(np.abs(z) <= 2, z, normals(11, 1, stream, 200))
    f.exact("many", "random_truncated_normal", [], [0.5 + 2 * z], attrs=[11, 1, 200], reals=[0.5, 2], bounds=[1e-5])
    for name, seed, before, p in [("some", 3, 0, 0.25), ("never", 3, 0, 0), ("always", 4, 1, 1)]:
        f.exact(name, "random_bernoulli", [], [uniform(seed, before, (3, 7), 0, 1) < float(np.float32(p))],
                attrs=[seed, before, 3, 7], reals=[p])
    for name, low, high in [("dice", 1, 7), ("one", -3, -2), ("large", -(1 << 23), 1 << 23)]:
        truth = low + np.floor(uniform(8, 2, (4, 5), 0, 1) * (high - low)).astype(np.int32)
        f.exact(name, "random_randint", [], [truth.astype(np.int32)], attrs=[8, 2, low, high, 4, 5])
    logits = np.float32([[0, 1, -2, 0.5], [5, 0, 0, -np.inf]])
    with np.errstate(divide="ignore"):
        gumbel = -np.log(-np.log(uniform(21, 0, (2, 30, 4), 0, 1)))
    scores = np.sort(logits[:, None] + gumbel, -1)
    assert (scores[..., -1] - scores[..., -2]).min() > 1e-4
    f.exact("rows", "random_categorical", [logits], [np.argmax(logits[:, None] + gumbel, -1).astype(np.int32)],
            attrs=[21, 0, 30])
    order = np.argsort(words(6, 1, 20).view(np.int32), kind="stable").astype(np.int32)
    f.exact("twenty", "random_permutation", [], [order], attrs=[6, 1, 20])
    f.exact("none", "random_permutation", [], [order[:0]], attrs=[6, 1, 0])
    f.case("columns", "random_shuffle", lambda x: tf.gather(x, order, axis=1), [Random("shuffle").uniform((2, 20))],
           attrs=[6, 1, 1])
    truth = uniform(7, 2, (5,), 0, 1)
    f.exact("restored", "set_random_state", [], [truth, truth], attrs=[7, 2, 5], covers=["get_random_state"])


def families():
    result = []
    for name, fill in {"draws": draws, "algebra": algebra, "order": order, "layers": layers, "arrange": arrange, "statistics": statistics, "scans": scans}.items():
        result.append(Family(name))
        fill(result[-1])
    return result
