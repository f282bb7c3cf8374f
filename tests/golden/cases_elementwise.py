# SPDX-License-Identifier: Apache-2.0
"""Goldens of the elementwise ops: every public row of lib/ops/elementwise.def, casts and where."""

import math

import numpy as np
import tensorflow as tf

from engine import Family, Random

# name: (function, domain as in elementwise.def)
UNARY = {
    "neg": (tf.negative, -4, 4), "abs": (tf.abs, -4, 4), "sign": (tf.sign, -4, 4),
    "square": (tf.square, -4, 4), "reciprocal": (tf.math.reciprocal, 0.25, 4),
    "sqrt": (tf.sqrt, 0.125, 8), "rsqrt": (tf.math.rsqrt, 0.125, 8),
    "exp": (tf.exp, -6, 6), "expm1": (tf.math.expm1, -4, 4),
    "log": (tf.math.log, 0.0625, 16), "log1p": (tf.math.log1p, -0.75, 8),
    "sin": (tf.sin, -8, 8), "cos": (tf.cos, -8, 8), "tanh": (tf.tanh, -4, 4),
    "sigmoid": (tf.sigmoid, -6, 6), "erf": (tf.math.erf, -3, 3), "relu": (tf.nn.relu, -4, 4),
}

# Values at the edges of the domain: finite, or +-Inf or NaN by definition. Forward only.
EDGES = {
    "reciprocal": [0.0, -0.0, 1e30, -3.0, np.inf], "sqrt": [0.0, 1.0, 2.0, 1e30, np.inf, -1.0],
    "rsqrt": [1.0, 4.0, 1e-30, 1e30, 0.0, np.inf],
    "exp": [0.0, -0.0, 1.0, 88.0, -80.0, -105.0, 89.0, np.inf, -np.inf],
    "expm1": [0.0, 1e-6, -1e-6, 1e-20, -30.0, 30.0, np.inf, -np.inf],
    "log": [0.0, 1.0, 1.0000001, 0.9999999, 1e-30, 1e30, -1.0, np.inf],
    "log1p": [0.0, 1e-6, -1e-6, 1e-20, -1.0, -2.0, 1e30],
    "sin": [0.0, 1e-6, 100.0, -1000.0, 12345.678, 1e7], "cos": [0.0, 1e-6, 100.0, -1000.0, 12345.678, 1e7],
    "tanh": [0.0, 1e-6, -1e-20, 12.0, -12.0, 100.0, np.inf, -np.inf],
    "sigmoid": [0.0, 1e-6, 20.0, -20.0, 80.0, -80.0, np.inf, -np.inf],
    "erf": [0.0, 1e-6, -1e-20, 4.5, -4.5, 100.0, np.inf, -np.inf],
    "neg": [0.0, np.inf, -np.inf], "abs": [0.0, np.inf, -np.inf], "square": [0.0, 1e-18, 1e18, -np.inf],
    "floor": [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 8388607.5, -8388607.5, 3e9, -3e9, 1e30],
}

BINARY = {
    "add": (tf.add, (-4, 4), (-4, 4)), "sub": (tf.subtract, (-4, 4), (-4, 4)),
    "mul": (tf.multiply, (-4, 4), (-4, 4)), "div": (tf.divide, (-4, 4), (0.25, 4)),
    "pow": (tf.pow, (0.25, 4), (-3, 3)), "maximum": (tf.maximum, (-4, 4), (-4, 4)),
    "minimum": (tf.minimum, (-4, 4), (-4, 4)),
    # The gradient of relu with its result: TensorFlow's own op does not broadcast.
    "relu_grad": (lambda a, b: tf.where(b > 0, a, tf.zeros_like(a)), (-4, 4), (-4, 4)),
}

SHAPES = {"same": ((2, 3), (2, 3)), "broadcast": ((2, 1, 3), (4, 1)), "scalar_left": ((), (2, 2)),
          "scalar_right": ((2, 2), ()), "scalars": ((), ()), "empty": ((0, 3), (1, 3))}

COMPARISONS = {"equal": np.equal, "not_equal": np.not_equal, "less": np.less, "less_equal": np.less_equal,
               "greater": np.greater, "greater_equal": np.greater_equal}


def unary(f):
    for op, (function, low, high) in UNARY.items():
        random = Random(f"elementwise/{op}")
        f.case("random", op, function, [random.uniform((2, 5), low, high)])
        f.case("scalar", op, function, [random.uniform((), low, high)])
        f.case("empty", op, function, [np.zeros((2, 0), np.float32)])
    for op in ("abs", "sign", "relu"):
        f.case("kink", op, UNARY[op][0], [np.float32([-1.5, -0.0, 0.0, 2.0])], kink=True)
    f.exact("nan", "sign", [np.float32([np.nan, np.inf, -np.inf])], [np.float32([np.nan, 1, -1])])
    random = Random("elementwise/floor")
    f.case("random", "floor", tf.floor, [random.uniform((2, 5), -4, 4)], order=0, flags=["no_gradient"])
    f.case("scalar", "floor", tf.floor, [random.uniform((), -4, 4)], order=0)
    f.case("empty", "floor", tf.floor, [np.zeros((2, 0), np.float32)], order=0)
    for op, values in EDGES.items():
        x = np.float32(values)
        function = tf.floor if op == "floor" else UNARY[op][0]
        truth = function(tf.constant(x, tf.float64)).numpy()
        if op == "erf":  # TensorFlow's float64 erf of Inf is NaN
            truth = np.float64([math.erf(v) for v in x])
        if op == "exp":  # canon.md rule 17: +0 below 2^-126
            truth = np.where(truth < 2.0**-126, 0.0, truth)
        truth[truth > np.finfo(np.float32).max] = np.inf
        # One case per magnitude, because a case has one bound.
        groups = {}
        for xi, y in zip(x, truth):
            scale = 0 if not np.isfinite(y) or y == 0 else int(np.log2(abs(y)) // 8) + 100
            groups.setdefault(scale, []).append((xi, y))
        for scale, pairs in groups.items():
            xs, ys = np.float32([p[0] for p in pairs]), np.float64([p[1] for p in pairs])
            f.case(f"edges_{list(groups).index(scale)}", op, function, [xs], order=0, truth=ys,
                   kink=True)


def binary(f):
    for op, (function, a, b) in BINARY.items():
        random = Random(f"elementwise/{op}")
        shapes = dict(SHAPES)
        if op in ("mul", "div"):
            shapes["broadcast3"] = ((3, 1, 5), (4, 1))
        for name, (left, right) in shapes.items():
            f.case(name, op, function, [random.uniform(left, *a), random.uniform(right, *b)])
    for op in ("maximum", "minimum"):
        f.case("tie", op, BINARY[op][0], [np.float32([1, 2, -1, 0]), np.float32([1, -3, -1, 0])], kink=True)
    f.case("tie", "relu_grad", BINARY["relu_grad"][0], [np.float32([1, 2, 3]), np.float32([0, -0.0, 1])], kink=True)
    f.case("same_tensor_shape", "div", tf.divide, [np.float32([1, 2, 7, -5]), np.float32([3, -3, 11, 0.7])])
    f.exact("by_zero", "div", [np.float32([1, -1, 0, 0]), np.float32([0, 0, 0, 5])],
            [np.float32([np.inf, -np.inf, np.nan, 0])])
    # Whole exponents of negative numbers; where a <= 0 the gradient to the exponent is 0.
    f.case("negative_base", "pow", tf.pow, [np.float32([-2, -1.5, -3, -0.5]), np.float32([3, 2, 1, 4])], kink=True)
    f.case("zero_base", "pow", tf.pow, [np.float32([0, 0, 0]), np.float32([2, 3, 1])], kink=True, order=1)
    f.exact("edges", "pow", [np.float32([0, 0, 2, -2, 1, np.inf, 4]), np.float32([0, 2, 0, 0.5, 1e30, 2, -0.5])],
            [np.float32([1, 0, 1, np.nan, 1, np.inf, 0.5])], bounds=[2.0**-20])

    fma = lambda a, b, c: a * b + c
    for name, shapes in {"same": [(2, 3)] * 3, "broadcast": [(2, 1, 3), (4, 1), (3,)], "scalars": [()] * 3,
                         "empty": [(0, 3), (1, 3), (3,)]}.items():
        random = Random(f"elementwise/fma/{name}")
        f.case(name, "fma", fma, [random.uniform(s) for s in shapes])
    # Rounded once: 2^-24 where an unfused product and sum give 0.
    f.exact("fused", "fma", [np.float32([1 + 2.0**-12]), np.float32([1 + 2.0**-12]), np.float32([-1 - 2.0**-11])],
            [np.float64([2.0**-24])])


def integers(f):
    low, high = -2**31, 2**31 - 1
    a = np.int32([1, -7, low, high, 123456789, 0, low, 65536])
    b = np.int32([2, 3, -1, 1, 987654321, 0, low, 65537])
    wide = lambda x: x.astype(np.int64)
    wrap = lambda x: ((x + 2**31) % 2**32 - 2**31).astype(np.int32)
    for op, function in {"add": np.add, "sub": np.subtract, "mul": np.multiply, "maximum": np.maximum,
                         "minimum": np.minimum}.items():
        f.exact("int32", op, [a, b], [wrap(function(wide(a), wide(b)))], covers=[f"int_{op}"])
        c, d = np.int32([[[5], [-6]]]), np.int32([1, 9, -9])
        f.exact("int32_broadcast", op, [c, d], [function(c, d)], covers=[f"int_{op}"])
    f.exact("int32", "neg", [a], [wrap(-wide(a))], covers=["int_neg"])

    x = np.float32([1, 1, -1, 0, -0.0, np.inf, -np.inf, 1e-30, 3])
    y = np.float32([1, 2, -2, -0.0, 0, np.inf, 0, -1e-30, 2.9999998])
    c, d = np.float32([[[0.5], [-1]]]), np.float32([0.5, -2, -1])
    ci, di = np.int32([[[5], [-6]]]), np.int32([5, 9, -6])
    nan = np.float32([np.nan, np.nan, 1])
    for op, function in COMPARISONS.items():
        f.exact("float32", op, [x, y], [function(x, y)])
        f.exact("broadcast", op, [c, d], [function(c, d)])
        f.exact("nan", op, [nan, np.float32([1, np.nan, np.nan])], [function(nan, np.float32([1, np.nan, np.nan]))])
        f.exact("int32", op, [a, b], [function(a, b)], covers=[f"int_{op}"])
        f.exact("int32_broadcast", op, [ci, di], [function(ci, di)], covers=[f"int_{op}"])
        f.exact("empty", op, [np.zeros((0, 2), np.float32), d[:1]], [np.zeros((0, 2), bool)])

    p, q = np.array([[True], [False]]), np.array([True, False])
    f.exact("broadcast", "logical_and", [p, q], [p & q])
    f.exact("broadcast", "logical_or", [p, q], [p | q])
    f.exact("column", "logical_not", [p], [~p])


def to_int32(x):
    """float32 to int32 as ls_cast says: towards zero, saturating, 0 for NaN."""
    x = np.trunc(np.nan_to_num(x.astype(np.float64), nan=0.0, posinf=2.0**40, neginf=-2.0**40))
    return np.clip(x, -2.0**31, 2.0**31 - 1).astype(np.int64).astype(np.int32)


def casts(f):
    codes = {np.float32: 0, np.int32: 1, np.uint8: 2, np.bool_: 3}  # enum ls_dtype
    values = {
        np.float32: np.float32([0, -0.0, 0.5, -0.5, 1.9, -1.9, 300.7, -1, 1e-30, 3e9, -3e9, 2147483520, np.inf,
                                -np.inf, np.nan]),
        np.int32: np.int32([0, 1, -1, 255, 256, 300, -300, 16777217, 16777219, 2**31 - 1, -2**31]),
        np.uint8: np.uint8([0, 1, 127, 128, 255]),
        np.bool_: np.array([True, False]),
    }
    rows = {np.float32: {np.int32: ["to_int"], np.uint8: ["to_int"], np.bool_: ["not_zero"]}}
    for source, x in values.items():
        for target in codes:
            if target == np.bool_:
                y = x != 0
            elif source == np.float32 and target != np.float32:
                y = to_int32(x)
            elif target == np.float32:
                y = x.astype(np.float32)
            else:
                y = x.astype(np.int32)
            if target == np.uint8:
                y = (y.astype(np.int64) & 255).astype(np.uint8)
            if source == np.float32 and target == np.float32:
                covers = []
            elif source == np.float32:
                covers = rows[source][target]
            else:
                covers = ["to_float"] if target == np.float32 else ["int_copy"]
            f.exact(f"{np.dtype(source)}_to_{np.dtype(target)}", "cast", [x], [y.astype(target)],
                    attrs=[codes[target]], covers=covers)
    f.case("gradient", "cast", tf.identity, [Random("cast").uniform((2, 3))], attrs=[0])
    f.exact("empty", "cast", [np.zeros((0, 2), np.uint8)], [np.zeros((0, 2), np.float32)], attrs=[0])


def where(f):
    condition = np.array([[True, False, True], [False, False, True]])
    for name, shapes in {"same": [(2, 3), (2, 3)], "broadcast": [(4, 1, 3), (2, 1)], "scalars": [(), ()]}.items():
        random = Random(f"elementwise/where/{name}")
        f.case(name, "where", tf.where, [condition, *[random.uniform(s) for s in shapes]])
    f.case("one_condition", "where", tf.where, [np.array(True), np.float32([1, 2]), np.float32([[3], [4]])])
    f.case("empty", "where", tf.where, [np.zeros((0, 1), bool), np.float32([1, 2]), np.float32(3)])
    a, b = np.int32([1, -2**31, 3]), np.int32([[7], [2**31 - 1]])
    f.exact("int32", "where", [condition, a, b], [np.where(condition, a, b)])
    # What is not chosen leaves no trace.
    f.exact("nan", "where", [np.array([True, False]), np.float32([1, np.nan]), np.float32([np.inf, 2])],
            [np.float32([1, 2])])


def subnormals(f):
    """Gradual underflow, for devices that do not flush; exact by numpy's float32."""
    s = np.float32([2.0**-127, -(2.0**-130), 2.0**-149, 3 * 2.0**-149, 1.5 * 2.0**-128])
    t = np.float32([2.0**-128, 2.0**-149, 2.0**-149, -(2.0**-149), 2.0**-126])
    h = np.float32([0.5, 0.25, 1, 0.75, 2.0**-20])
    flags = ["subnormal"]
    f.exact("subnormal", "neg", [s], [-s], flags=flags)
    f.exact("subnormal", "abs", [s], [np.abs(s)], flags=flags)
    f.exact("subnormal", "add", [s, t], [s + t], flags=flags)
    f.exact("subnormal", "sub", [s, t], [s - t], flags=flags)
    f.exact("subnormal", "mul", [s, h], [s * h], flags=flags)
    d = np.float32([3, 0.3, 1, 2, 1.1])
    f.exact("subnormal", "div", [s, d], [s / d], flags=flags)
    f.exact("subnormal", "sqrt", [np.abs(s)], [np.sqrt(np.abs(s))], flags=flags)
    f.exact("subnormal", "fma", [s, h, t], [np.float32(s.astype(np.float64) * h + t.astype(np.float64))], flags=flags)
    f.exact("subnormal", "maximum", [s, t], [np.maximum(s, t)], flags=flags)
    f.exact("subnormal", "greater", [s, t], [s > t], flags=flags)
    f.exact("subnormal", "sign", [s], [np.sign(s)], flags=flags)
    f.exact("subnormal", "relu", [s], [np.maximum(s, 0)], flags=flags)


def families():
    f = Family("elementwise")
    unary(f)
    binary(f)
    g = Family("selection")
    integers(g)
    casts(g)
    where(g)
    subnormals(g)
    return [f, g]
