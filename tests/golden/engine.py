# SPDX-License-Identifier: Apache-2.0
"""How one golden is made and written; which goldens there are is told by the cases_*.py files.

A case is a function of some inputs. Its inputs, the output's gradient ("cotangent") and the
directions of the second order are float32 numbers from a seed that is the case's own name, so
that a new case does not move the others. TensorFlow then works in float64:

    y          = op(x_0, x_1, ...)
    gradient_i = d sum(y * cotangent) / d x_i
    second_j   = d sum_i sum(gradient_i * direction_i) / d x_j,  the cotangent counting as the last x

Every expected float array carries one bound: 4 * max(TensorFlow's own float32 error, what the
truth moves by when the inputs are nudged by half an ulp) + 8 * 2^-24 * max |truth|.

The format is described in tests/golden.h.
"""

import struct
import zlib

import numpy as np
import tensorflow as tf

SMALLEST_NORMAL = 2.0**-126
DTYPES = {np.dtype(np.float32): "float32", np.dtype(np.int32): "int32", np.dtype(np.uint8): "uint8",
          np.dtype(np.bool_): "bool", np.dtype(np.float16): "float16",
          np.dtype(tf.bfloat16.as_numpy_dtype): "bfloat16"}


class Random:
    """The numbers of one case, from its name."""

    def __init__(self, name):
        self.generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))

    def uniform(self, shape, low=-2.0, high=2.0):
        """float32, and never so small that a product of a few of them could be subnormal."""
        x = np.asarray(self.generator.uniform(low, high, shape)).astype(np.float32)
        return np.where(np.abs(x) < 2.0**-10, np.float32(2.0**-10), x).astype(np.float32)

    def integers(self, shape, low, high):
        return np.asarray(self.generator.integers(low, high, shape)).astype(np.int32)


def pattern(shape, seed):
    """What golden.c fills a `pattern` input with: multiples of 2^-23 in [-1, 1)."""
    n = int(np.prod(shape))
    word = (np.arange(n, dtype=np.uint64) * 2654435761 + seed * 40503) & 0xFFFFFFFF
    word = ((word ^ (word >> 15)) * 2246822519) & 0xFFFFFFFF
    word ^= word >> 13
    return ((word >> 8).astype(np.float64) * 2.0**-23 - 1.0).astype(np.float32).reshape(shape)


def is_float(x):
    return np.asarray(x).dtype == np.float32


def is_subnormal(x):
    x = np.abs(np.asarray(x, np.float64))
    return bool(np.any((x > 0) & (x < SMALLEST_NORMAL)))


def whole_words(x):
    """Integers in decimal; of the 16-bit float types, their bits."""
    return [str(int(v)) for v in (x.view(np.uint16) if DTYPES[x.dtype].endswith("float16") else x).flat]


def evaluate(function, inputs, cotangent, directions, order, dtype):
    """Forward values, gradients and second-order values as lists of float64 arrays."""
    floats = [i for i, x in enumerate(inputs) if np.asarray(x).dtype.kind == "f"]
    xs = [tf.constant(x, dtype) if i in floats else tf.constant(x) for i, x in enumerate(inputs)]
    if order == 0:
        return [np.asarray(function(*xs), np.float64)], [], []
    sources = [xs[i] for i in floats]
    g = tf.constant(cotangent, dtype)
    with tf.GradientTape() as outer:
        outer.watch(sources + [g])
        with tf.GradientTape() as inner:
            inner.watch(sources)
            y = function(*xs)
            target = tf.reduce_sum(y * g)
        gradients = inner.gradient(target, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        gradients = [tf.convert_to_tensor(x) for x in gradients]
        s = tf.add_n([tf.reduce_sum(x * tf.constant(v, dtype)) for x, v in zip(gradients, directions)])
    seconds = []
    if order == 2:
        seconds = outer.gradient(s, sources + [g], unconnected_gradients=tf.UnconnectedGradients.ZERO)
    def numbers(tensors):
        return [np.asarray(tf.convert_to_tensor(x), np.float64) for x in tensors]
    return numbers([y]), numbers(gradients), numbers(seconds)


def nudged(x, generator):
    """float64, each element moved by half an ulp of its float32 value, up or down."""
    x = np.asarray(x)
    if x.dtype != np.float32:
        return x
    with np.errstate(invalid="ignore"):
        step = np.where(np.isfinite(x) & (x != 0), np.spacing(np.abs(x)), 0).astype(np.float64) / 2
    return x.astype(np.float64) + step * generator.choice([-1.0, 1.0], x.shape)


def difference(a, b):
    """The largest |a - b| where both are finite."""
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(a) & np.isfinite(b)
        return float(np.max(np.abs(a - b), where=finite, initial=0.0))


def bound(truth, others_float32, others_nudged):
    error = max([difference(truth, x) for x in others_float32], default=0.0)
    movement = max([difference(truth, x) for x in others_nudged], default=0.0)
    largest = float(np.max(np.abs(truth), where=np.isfinite(truth), initial=0.0))
    return 4 * max(error, movement) + 8 * 2.0**-24 * largest


def hex32(x):
    return struct.pack(">f", x).hex()


def hex64(x):
    return struct.pack(">d", x).hex()


def real_words(x):
    """The doubles of x as hex bits: 8 digits where a float32 holds the value, else 16; or `zeros`."""
    x = np.asarray(x, np.float64)
    if x.size > 1 and not np.any(x) and not np.any(np.signbit(x)):
        return ["zeros"]
    with np.errstate(over="ignore"):
        return [hex32(v) if np.float64(np.float32(v)) == v or np.isnan(v) else hex64(v) for v in x.flat]


def shape_text(shape):
    return "x".join(str(d) for d in shape) if len(shape) else "()"


class Family:
    """One file of cases."""

    def __init__(self, name):
        self.name, self.cases, self.text, self.covered = name, [], [], set()

    # ---- Cases ----

    def case(self, name, op, function, inputs, *, attrs=(), reals=(), order=2, flags=(), covers=(), truth=None,
             kink=False, cotangent=True):
        """A case with one float32 output. `order` 0: forward only, 1: gradients, 2: second order too.
        `kink`: the inputs stand at a corner or an edge of the function, so they are not nudged."""
        full = f"{self.name}/{op}/{name}"
        random = Random(full)
        inputs = [np.asarray(x) for x in inputs]
        floats = [i for i, x in enumerate(inputs) if is_float(x)]
        y = function(*[tf.constant(x, tf.float64 if is_float(x) else None) for x in inputs])
        g = random.uniform(y.shape) if order else None
        vs = [random.uniform(inputs[i].shape) for i in floats] if order else []

        def results(xs, g, vs, dtype):
            return evaluate(function, xs, g, vs, order, dtype)

        subnormal = "subnormal" in flags
        exact = results(inputs, g, vs, tf.float64)
        if truth is not None:
            exact = ([np.asarray(truth, np.float64)], *exact[1:])
        single = [] if subnormal else [results(inputs, g, vs, tf.float32)]
        moved = []
        for _ in range(0 if kink or subnormal else 4):
            n = lambda x: nudged(x, random.generator)
            moved.append(results([n(x) for x in inputs], n(g) if order else None, [n(v) for v in vs], tf.float64))

        self._begin(full, op, attrs, reals, flags, covers)
        for x in inputs:
            self._input(x, flags)
        self._output(0, exact, single, moved, flags)
        if order:
            self._words("cotangent", g)
        for k, i in enumerate(floats if order else []):
            self._expected(f"gradient {i}", exact[1][k], [s[1][k] for s in single], [m[1][k] for m in moved], flags)
        if order == 2:
            for k, i in enumerate(floats):
                self._words(f"direction {i}", vs[k])
            for k, i in enumerate(floats + [len(inputs)]):
                self._expected(f"second {i}", exact[2][k], [s[2][k] for s in single], [m[2][k] for m in moved], flags)

    def exact(self, name, op, inputs, outputs, *, attrs=(), reals=(), flags=(), covers=(), bounds=None):
        """A case whose outputs are given: integers, or floats with given bounds (0: to the bit)."""
        full = f"{self.name}/{op}/{name}"
        self._begin(full, op, attrs, reals, flags, covers)
        for x in inputs:
            self._input(np.asarray(x), flags)
        for i, y in enumerate(outputs):
            y = np.asarray(y)
            if y.dtype == np.float32 or y.dtype == np.float64:
                self._check(y, flags)
                head = f"output float32 {shape_text(y.shape)} {hex64(bounds[i] if bounds else 0.0)}"
                self._line(head, real_words(y))
            else:
                self._line(f"output {DTYPES[y.dtype]} {shape_text(y.shape)}", whole_words(y))

    def patterned(self, name, op, function, inputs, *, attrs=(), truth=None):
        """A forward case on large inputs, which are stored as (shape, seed) or as arrays."""
        full = f"{self.name}/{op}/{name}"
        self._begin(full, op, attrs, (), (), ())
        arrays = []
        for x in inputs:
            if isinstance(x, tuple):
                self.text.append(f"pattern float32 {shape_text(x[0])} {x[1]}")
                arrays.append(pattern(*x))
            else:
                self._input(x, ())
                arrays.append(x)
        exact = evaluate(function, arrays, None, None, 0, tf.float64)
        if exact[0][0].dtype == np.float64 and truth is None:
            single = [evaluate(function, arrays, None, None, 0, tf.float32)]
            generator = Random(full).generator
            moved = [evaluate(function, [nudged(x, generator) for x in arrays], None, None, 0, tf.float64)
                     for _ in range(4)]
            self._output(0, exact, single, moved, ())
        else:
            y = truth(*arrays)
            self._line(f"output {DTYPES[y.dtype]} {shape_text(y.shape)}", [str(int(v)) for v in y.flat])

    # ---- Writing ----

    def _begin(self, full, op, attrs, reals, flags, covers):
        assert full not in self.cases, full
        assert len(full) < 80, full
        self.cases.append(full)
        self.covered |= {op, *covers}
        self.text.append(f"case {full}")
        self.text.append(f"op {op}")
        if covers:
            self.text.append("covers " + " ".join(covers))
        if flags:
            self.text.append("flags " + " ".join(flags))
        if len(attrs):
            self.text.append("attrs " + " ".join(str(int(a)) for a in attrs))
        if len(reals):
            self.text.append("reals " + " ".join(hex32(r) for r in reals))

    def _check(self, x, flags):
        assert "subnormal" in flags or not is_subnormal(x), self.cases[-1]

    def _line(self, head, words):
        self.text.append(head)
        line = ""
        for word in words:
            if len(line) + len(word) > 98:
                self.text.append(line)
                line = ""
            line += " " + word if line else word
        if line:
            self.text.append(line)

    def _input(self, x, flags):
        head = f"input {DTYPES[x.dtype]} {shape_text(x.shape)}"
        if is_float(x):
            self._check(x, flags)
            self._line(head, [hex32(v) for v in x.flat])
        else:
            self._line(head, whole_words(x))

    def _words(self, head, x):
        self._check(x, ())
        self._line(head, [hex32(v) for v in x.flat])

    def _expected(self, head, truth, single, moved, flags):
        self._check(truth, flags)
        b = bound(truth, single, moved)
        self._line(f"{head} {hex64(b)}", real_words(truth))

    def _output(self, i, exact, single, moved, flags):
        y = exact[0][i]
        self._expected(f"output float32 {shape_text(y.shape)}", y, [s[0][i] for s in single],
                       [m[0][i] for m in moved], flags)

    def write(self, folder):
        lines = ["lockstep-golden 1", *self.text, f"end {len(self.cases)}"]
        text = "\n".join(lines) + "\n"
        (folder / f"{self.name}.golden").write_text(text)
        return len(text)
