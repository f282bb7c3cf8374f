# SPDX-License-Identifier: Apache-2.0
"""Goldens of the wider elementwise family: functions, activations, pairs, tests, int32 forms."""

import math

import numpy as np
import tensorflow as tf

from engine import Family, Random


def log_of(base):
    return lambda a: tf.math.log(a) / tf.constant(math.log(base), a.dtype)


def cube_root(a):
    return tf.pow(a, tf.constant(1.0, a.dtype) / 3)


# name: (function, domain as in elementwise.def)
FUNCTIONS = {
    "exp2": (lambda a: tf.pow(tf.constant(2, a.dtype), a), -6, 6), "log2": (log_of(2), 0.0625, 16),
    "log10": (log_of(10), 0.0625, 16), "cbrt": (cube_root, 0.125, 8), "tan": (tf.tan, -1.25, 1.25),
    "asin": (tf.asin, -0.9375, 0.9375), "acos": (tf.acos, -0.9375, 0.9375), "atan": (tf.atan, -4, 4),
    "sinh": (tf.sinh, -4, 4), "cosh": (tf.cosh, -4, 4), "asinh": (tf.asinh, -4, 4),
    "acosh": (tf.acosh, 1.125, 8), "atanh": (tf.atanh, -0.9375, 0.9375), "erfc": (tf.math.erfc, -3, 3),
    "erfinv": (tf.math.erfinv, -0.9375, 0.9375),
}

# Beyond where a careless formula overflows or cancels; the truth is math's or a limit.
EDGES = {
    "exp2": [0.0, 10.0, -20.0, 127.0, 128.0], "log2": [8.0, 2.0**-100, 0.0, -1.0], "log10": [1000.0, 0.0, -1.0],
    "cbrt": [27.0, -8.0, 0.0, 1e30, -1e-30], "asin": [0.0, 1.0, -1.0, 1.5], "acos": [1.0, -1.0, 0.0, 1.5],
    "atan": [0.0, 1e30, -1e30, 1e-20], "sinh": [0.0, 80.0, -80.0, 95.0], "cosh": [0.0, 80.0, -80.0, 95.0],
    "asinh": [0.0, 1e30, -1e30, 1e-20], "acosh": [1.0, 1e30, 0.5], "atanh": [0.0, 1.0, -1.0, 1.5],
    "tan": [0.0, 100.0, 1e-20], "erfc": [0.0, 9.0, -9.0, 12.0], "erfinv": [0.0, 1.0, -1.0, 1.5, 1e-20],
}


def limit(op, x):
    """The float64 truth from Python's math, with the limits that it reports as errors."""
    if op == "exp2":
        return 2.0**x if x < 128 else math.inf
    if op in ("log2", "log10"):
        return -math.inf if x == 0 else math.nan if x < 0 else {"log2": math.log2, "log10": math.log10}[op](x)
    if op == "cbrt":
        return math.copysign(abs(x) ** (1 / 3), x)
    if op in ("asin", "acos", "erfinv") and abs(x) > 1 or op == "acosh" and x < 1 or op == "atanh" and abs(x) > 1:
        return math.nan
    if op in ("atanh", "erfinv") and abs(x) == 1:
        return math.copysign(math.inf, x)
    if op == "erfinv":
        return x * math.sqrt(math.pi) / 2 if abs(x) < 1e-6 else float(tf.math.erfinv(tf.constant(x, tf.float64)))
    y = getattr(math, op)(x)
    return math.copysign(math.inf, y) if abs(y) > float(np.finfo(np.float32).max) else 0.0 if abs(y) < 2.0**-126 else y


def functions(f):
    for op, (function, low, high) in FUNCTIONS.items():
        random = Random(f"functions/{op}")
        f.case("random", op, function, [random.uniform((2, 3), low, high)])
        f.case("scalar", op, function, [random.uniform((), low, high)])
        f.case("empty", op, function, [np.zeros((2, 0), np.float32)])
        groups = {}
        for x in np.float32(EDGES[op]):
            y = limit(op, float(x))
            scale = 0 if not np.isfinite(y) or y == 0 else int(np.log2(abs(y)) // 8) + 100
            groups.setdefault(scale, []).append((x, y))
        for i, pairs in enumerate(groups.values()):
            xs, ys = np.float32([p[0] for p in pairs]), np.float64([p[1] for p in pairs])
            bound = 4 * 2.0**-24 * float(np.max(np.abs(ys), where=np.isfinite(ys), initial=0.0))
            f.exact(f"edges_{i}", op, [xs], [ys], bounds=[bound])


def rounding(f):
    x = np.float32([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999997, -0.0, 3.7, -3.7, 8388607.5, -3e9, np.inf, np.nan])
    for op, function in {"ceil": np.ceil, "round": np.rint, "trunc": np.trunc}.items():
        f.exact("values", op, [x], [function(x)])
        f.case("no_gradient", op, {"ceil": tf.math.ceil, "round": tf.round, "trunc": tf.round}[op],
               [np.float32([[1, -2], [0, 3]])], order=0, flags=["no_gradient"])
        f.exact("empty", op, [np.zeros((0, 2), np.float32)], [np.zeros((0, 2), np.float32)])


def softplus(a):
    return tf.nn.softplus(a)


def c(value, like):
    """A constant in full double precision."""
    return tf.constant(value, like.dtype)


def relu(a):
    return tf.nn.relu(a)


def gelu(a):
    return 0.5 * a * tf.math.erfc(-a / tf.sqrt(c(2, a)))


def gelu_tanh(a):
    return 0.5 * a * (1 + tf.tanh(tf.sqrt(c(2 / math.pi, a)) * (a + c(0.044715, a) * a**3)))


def selu(a):
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return c(scale, a) * tf.where(a >= 0, a, c(alpha, a) * tf.math.expm1(tf.minimum(a, 0)))


def elu(alpha):
    """Keras': alpha times tf.nn.elu where a <= 0."""
    return lambda a: tf.where(a > 0, a, c(alpha, a) * tf.nn.elu(a))


def celu(alpha):
    return lambda a: tf.where(a > 0, a, c(alpha, a) * tf.math.expm1(tf.where(a > 0, c(0, a), a) / c(alpha, a)))


def squareplus(b):
    return lambda a: (a + tf.sqrt(a * a + c(b, a))) / 2


def soft_shrink(t):
    return lambda a: tf.where(a > t, a - c(t, a), tf.where(a < -t, a + c(t, a), c(0, a)))


def clip(low, high):
    return lambda a: tf.clip_by_value(a, c(low, a), c(high, a))


# name: (function, parameters, attributes, domain, corners)
ACTIVATIONS = {
    "relu6": (tf.nn.relu6, (), (), -4, 10, [0, 6]),
    "selu": (selu, (), (), -4, 4, [0]),
    "silu": (lambda a: a * tf.sigmoid(a), (), (), -6, 6, None),
    "softplus": (softplus, (), (), -6, 6, None),
    "log_sigmoid": (lambda a: -softplus(-a), (), (), -6, 6, None),
    "hard_sigmoid": (lambda a: tf.nn.relu6(a + 3) / 6, (), (), -4, 4, [-3, 3]),
    "sparse_sigmoid": (lambda a: tf.where(a <= -1, c(0, a), tf.where(a >= 1, c(1, a), 0.5 * (a + 1))), (), (), -2, 2,
                       [-1, 1]),
    "hard_silu": (lambda a: a * tf.nn.relu6(a + 3) / 6, (), (), -4, 4, [-3, 3]),
    "hard_tanh": (clip(-1, 1), (), (), -2, 2, [-1, 1]),
    "softsign": (lambda a: a / (1 + tf.abs(a)), (), (), -4, 4, [0]),
    "mish": (lambda a: a * tf.tanh(softplus(a)), (), (), -6, 6, None),
    "tanh_shrink": (lambda a: a - tf.tanh(a), (), (), -4, 4, None),
    "gelu": (gelu, (), (0,), -4, 4, None),
    "leaky_relu": (lambda a: tf.where(a > 0, a, c(0.25, a) * a), (0.25,), (), -4, 4, [0]),
    "elu": (elu(1.5), (1.5,), (), -4, 4, [0]),
    "celu": (celu(0.75), (0.75,), (), -4, 4, [0]),
    "hard_shrink": (lambda a: tf.where(tf.abs(a) > 0.5, a, c(0, a)), (0.5,), (), -2, 2, [-0.5, 0.5]),
    "soft_shrink": (soft_shrink(0.5), (0.5,), (), -2, 2, [-0.5, 0.5]),
    "squareplus": (squareplus(4), (4,), (), -4, 4, None),
    "threshold": (lambda a: tf.where(a > 0.5, a, c(-2, a)), (0.5, -2), (), -2, 2, [0.5]),
    "clip": (clip(-1.5, 0.75), (-1.5, 0.75), (), -4, 4, [-1.5, 0.75]),
}

# Far out: value and slope saturate, and no second derivative is NaN: (value, slope) at -x and at x.
FAR = {
    "silu": ((0, 0), (1, 1)), "softplus": ((0, 0), (1, 1)), "log_sigmoid": ((1, 1), (0, 0)), "softsign": None,
    "mish": ((0, 0), (1, 1)), "gelu": ((0, 0), (1, 1)), "hard_silu": ((0, 0), (1, 1)), "relu6": None,
    "tanh_shrink": ((1, 1), (1, 1)), "squareplus": None, "elu": None, "celu": None, "selu": None,
}


def far(f, op, attrs, reals, name="far"):
    """Values and gradients far out, by their limits."""
    (low, low_slope), (high, high_slope) = FAR[op]
    x = np.float32([-1e20, 1e20])

    def function(a):
        slope = tf.where(a < 0, c(low, a), c(high, a))
        return slope * a
    assert low == low_slope and high == high_slope
    f.case(name, op, function, [x], attrs=attrs, reals=reals, kink=True)


def activations(f):
    for op, (function, reals, attrs, low, high, corners) in ACTIVATIONS.items():
        random = Random(f"activations/{op}")
        more = dict(reals=reals, attrs=attrs)
        if op in ("silu", "gelu", "mish"):
            more["covers"] = [f"{op}_slope"]
        f.case("random", op, function, [random.uniform((2, 4), low, high)], **more)
        f.case("scalar", op, function, [random.uniform((), low, high)], **more)
        f.case("empty", op, function, [np.zeros((2, 0), np.float32)], **more)
        if corners:
            f.case("kink", op, function, [np.float32(corners)], kink=True, order=1, **more)
        f.exact("nan", op, [np.float32([np.nan])], [np.float32([np.nan if op != "threshold" else -2])], **more)
        if FAR.get(op):
            far(f, op, attrs, reals)
    random = Random("activations/gelu_tanh")
    more = dict(attrs=(1,), covers=["gelu_tanh", "gelu_tanh_slope"])
    f.case("tanh_random", "gelu", gelu_tanh, [random.uniform((2, 4), -4, 4)], **more)
    f.case("tanh_empty", "gelu", gelu_tanh, [np.zeros((2, 0), np.float32)], **more)
    far(f, "gelu", (1,), (), "tanh_far")
    # Where a^2 + b would round b away, or overflow.
    x = np.float32([-1000, -30])
    f.exact("cancel", "squareplus", [x], [4 / (2 * (np.hypot(np.float64(x), 2) - x))], reals=(4,), bounds=[1e-8])

    prelu = lambda a, b: relu(a) - b * relu(-a)
    random = Random("activations/prelu")
    for name, (left, right) in {"same": ((2, 3), (2, 3)), "channels": ((2, 2, 3), (3,)), "scalars": ((), ()),
                                "empty": ((0, 3), (3,))}.items():
        f.case(name, "prelu", prelu, [random.uniform(left, -4, 4), random.uniform(right, 0.0625, 2)])
    f.case("kink", "prelu", prelu, [np.float32([0, -1, 1]), np.float32([0.5])], kink=True)


PAIRS = {
    "mod": (tf.math.floormod, (-4, 4), (0.25, 4)), "atan2": (tf.atan2, (-4, 4), (0.25, 4)),
    "hypot": (lambda a, b: tf.sqrt(a * a + b * b), (-4, 4), (0.25, 4)),
    "logaddexp": (lambda a, b: tf.maximum(a, b) + softplus(-tf.abs(a - b)), (-4, 4), (-4, 4)),
}


def pairs(f):
    for op, (function, a, b) in PAIRS.items():
        random = Random(f"pairs/{op}")
        for name, (left, right) in {"same": ((2, 3), (2, 3)), "broadcast": ((2, 1, 2), (3, 1)),
                                    "scalar_right": ((2, 2), ()), "scalars": ((), ()),
                                    "empty": ((0, 3), (1, 3))}.items():
            f.case(name, op, function, [random.uniform(left, *a), random.uniform(right, *b)])
    random = Random("pairs/pow")
    f.case("term", "pow", tf.pow, [random.uniform((2, 3), 0.25, 4), random.uniform((3,), -3, 3)], covers=["pow_term"])
    # b a^(b-1) at a = 0: TensorFlow's 0 * Inf is 0 here.
    zero = np.float32([0, 0])
    f.case("zero_base", "pow", lambda a, b: b * 0 + tf.stack([a[0] * 0 + 1, a[1]]), [zero, np.float32([0, 1])],
           kink=True, order=1)
    x, y = np.float32([7, -7, 7, -7, 1e10, -0.75, 5]), np.float32([3, 3, -3, -3, 0.7, 1, np.inf])
    f.exact("signs", "mod", [x, y], [np.float64([math.fmod(float(p), float(q)) for p, q in zip(x, y)])
                                     + np.float64([0, 3, -3, 0, 0, 1, 0])])
    f.exact("values", "floor_div", [np.float32([7, -7, 7, -7, 1, 0.5]), np.float32([2, 2, -2, -2, 0, 1])],
            [np.float32([3, -4, -4, 3, np.inf, 0])])
    f.case("no_gradient", "floor_div", tf.math.floordiv, [np.float32([[5], [-3]]), np.float32([2, 4])], order=0,
           flags=["no_gradient"])
    f.exact("empty", "floor_div", [np.zeros((0, 2), np.float32), np.float32([1, 2])], [np.zeros((0, 2), np.float32)])
    f.exact("quadrants", "atan2", [np.float32([1, 1, -1, -1, 0, 0, 1e30]), np.float32([1, -1, -1, 1, -1, 0, 1e30])],
            [np.pi * np.float64([0.25, 0.75, -0.75, -0.25, 1, 0, 0.25])], bounds=[2.0**-22])
    f.exact("large", "hypot", [np.float32([3e30, 0]), np.float32([4e30, 0])],
            [np.hypot(np.float64(np.float32([3e30, 0])), np.float64(np.float32([4e30, 0])))], bounds=[2e23])
    f.exact("far", "logaddexp", [np.float32([1e30, -1000, 3, -np.inf]), np.float32([-1e30, -1000, -200, -np.inf])],
            [np.float64([np.float32(1e30), -1000 + math.log(2), 3, -np.inf])], bounds=[1e-4])
    # Gradients where sqrt or a quotient has none: the origin gets 0.
    origin = lambda a, b: tf.where(a > 0, a, c(0, a)) * 0 + b * 0
    f.case("origin", "hypot", origin, [np.float32([0]), np.float32([0])], kink=True, order=1)
    f.case("origin", "atan2", origin, [np.float32([0]), np.float32([0])], kink=True, order=1)
    half = lambda a, b: tf.maximum(a, b) + tf.math.log(c(2, a)) - (tf.maximum(a, b) - (a + b) / 2)
    f.case("tie", "logaddexp", half, [np.float32([1, -3]), np.float32([1, -3])], kink=True, order=1)


def tests(f):
    x = np.float32([[0, -1.5, np.nan], [np.inf, -np.inf, 3e38]])
    for op, function in {"isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite}.items():
        f.exact("values", op, [x], [function(x)])
        f.exact("scalar", op, [np.float32(np.nan)], [function(np.float32(np.nan))])
        f.exact("empty", op, [np.zeros((0, 2), np.float32)], [np.zeros((0, 2), bool)])
    p, q = np.array([[True], [False]]), np.array([True, False])
    f.exact("broadcast", "logical_xor", [p, q], [p ^ q])


def integers(f):
    low, high = -2**31, 2**31 - 1
    a = np.int32([0, 7, -7, 7, -7, low, low, high, 5, low])
    b = np.int32([3, 2, 2, -2, -2, -1, 1, low, 0, low])
    wide = lambda x: x.astype(np.int64)
    wrap = lambda x: ((x + 2**31) % 2**32 - 2**31).astype(np.int32)
    f.exact("int32", "abs", [a], [wrap(np.abs(wide(a)))], covers=["int_abs"])
    f.exact("int32", "sign", [a], [np.sign(a)], covers=["int_sign"])
    f.exact("int32", "square", [a], [wrap(wide(a)**2)], covers=["int_square"])
    divisor = np.where(b == 0, 1, wide(b))
    f.exact("int32", "floor_div", [a, b], [np.where(b == 0, 0, wrap(wide(a) // divisor))], covers=["int_floor_div"])
    f.exact("int32", "mod", [a, b], [np.where(b == 0, 0, wrap(wide(a) % divisor))], covers=["int_mod"])
    c, d = np.int32([[5], [-6]]), np.int32([4, -4, 1])
    f.exact("int32_broadcast", "floor_div", [c, d], [c // d], covers=["int_floor_div"])
    f.exact("int32_broadcast", "mod", [c, d], [c % d], covers=["int_mod"])
    f.exact("int32", "clip", [a], [np.clip(a, -2, 6)], reals=(-2, 6))
    f.exact("int32_open", "clip", [a], [np.maximum(a, -2)], reals=(-2, np.inf))


def families():
    f, g = Family("functions"), Family("activations")
    for part in (functions, rounding, pairs, tests, integers):
        part(f)
    activations(g)
    return [f, g]
