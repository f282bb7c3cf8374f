# SPDX-License-Identifier: Apache-2.0
"""Goldens of shape ops, reductions and indexing."""

import numpy as np
import tensorflow as tf

from engine import Family, Random

MISSING = 99  # an axis attribute that stands for "no axes given"


def shape(f):
    def random(name, *shape):
        return Random(f"shape/{name}").uniform(shape)

    for name, source, target in [("merge", (2, 3, 4), (4, 6)), ("infer", (2, 3, 2), (-1, 4)),
                                 ("to_scalar", (1, 1), ()), ("from_scalar", (), (1, 1, 1)),
                                 ("empty", (0, 3), (3, 0, 2))]:
        f.case(name, "reshape", lambda x, t=target: tf.reshape(x, t), [random(name, *source)], attrs=target)
    f.exact("int32", "reshape", [np.int32([[1, 2, 3], [4, 5, 6]])], [np.int32([[1, 2], [3, 4], [5, 6]])], attrs=[3, 2])
    for axis in (0, 1, 2, -1):
        f.case(f"axis_{axis}", "expand_dims", lambda x, a=axis: tf.expand_dims(x, a), [random("expand", 2, 3)],
               attrs=[axis])
    f.case("scalar", "expand_dims", lambda x: tf.expand_dims(x, 0), [random("expand")], attrs=[0])
    for name, source, axes in [
            ("matrix", (2, 3), (1, 0)), ("identity", (2, 3), (0, 1)), ("cycle", (2, 3, 4), (2, 0, 1)),
            ("rank4", (2, 3, 2, 2), (0, 3, 1, 2)), ("negative", (2, 3, 2), (-1, 0, -2)),
            ("empty", (2, 0, 3), (2, 1, 0)), ("row", (3,), (0,))]:
        positive = [a % len(source) for a in axes]
        f.case(name, "transpose", lambda x, p=positive: tf.transpose(x, p), [random(name, *source)], attrs=axes)
    f.case("reverse", "transpose", tf.transpose, [random("reverse", 2, 3, 2)])
    f.case("scalar", "transpose", tf.transpose, [random("scalar")])
    f.exact("uint8", "transpose", [np.arange(6, dtype=np.uint8).reshape(2, 3)],
            [np.arange(6, dtype=np.uint8).reshape(2, 3).T.copy()], attrs=[1, 0])
    for name, source, target in [("rows", (3,), (2, 3)), ("column", (2, 1), (2, 3)), ("both", (3, 1), (2, 3, 2)),
                                 ("scalar", (), (2, 2)), ("same", (2, 2), (2, 2)), ("empty", (1, 3), (0, 3))]:
        f.case(name, "broadcast_to", lambda x, t=target: tf.broadcast_to(x, t), [random(name, *source)], attrs=target)
        f.case(name, "sum_to", lambda x, s=source, t=target: sum_to(x, s, t), [random(name + "_back", *target)],
               attrs=source)

    def slicer(begin, size, step):
        def part(b, n, s):
            stop = b + n * s
            return slice(b, None if stop < 0 else stop, s)
        return tuple(part(*t) for t in zip(begin, size, step))

    for name, source, begin, size, step in [
            ("inner", (4, 5), (1, 2), (2, 3), None), ("rest", (4, 3), (2, 0), (-1, -1), None),
            ("steps", (5, 6), (0, 1), (3, 2), (2, 3)), ("reverse", (5,), (4,), (5,), (-1,)),
            ("reverse_steps", (3, 6), (2, 5), (2, 3), (-2, -2)), ("rest_reverse", (5,), (3,), (-1,), (-2,)),
            ("mixed", (2, 3, 4), (0, 2, 1), (2, 2, 2), (1, -1, 2)), ("nothing", (3, 2), (1, 0), (0, 2), None),
            ("all", (2, 2), (0, 0), (2, 2), None), ("rest_steps", (7,), (1,), (-1,), (3,))]:
        steps = step or (1,) * len(source)
        sizes = [n if n >= 0 else ((d - 1 - b) // s + 1 if s > 0 else b // -s + 1)
                 for d, b, n, s in zip(source, begin, size, steps)]
        index = slicer(begin, sizes, steps)
        attrs = [len(source), *begin, *size, 0 if step is None else 1, *(step or ())]
        f.case(name, "slice", lambda x, i=index: x[i], [random(name, *source)], attrs=attrs)
        # unslice is slice's gradient, and slice is unslice's.
        def unslice(x, i=index, s=source):
            positions = tf.constant(np.arange(int(np.prod(s))).reshape(s)[i].reshape(-1, 1))
            flat = tf.scatter_nd(positions, tf.reshape(x, [-1]), tf.constant([int(np.prod(s))], tf.int64))
            return tf.reshape(flat, s)
        attrs = [len(source), *source, *begin, 0 if step is None else 1, *(step or ())]
        f.case(name, "unslice", unslice, [random(name + "_back", *sizes)], attrs=attrs)
    f.exact("uint8", "slice", [np.arange(6, dtype=np.uint8).reshape(2, 3)], [np.uint8([[5, 3], [2, 0]])],
            attrs=[2, 1, 2, 2, 2, 1, -1, -2])
    f.case("scalar", "slice", tf.identity, [random("slice_scalar")], attrs=[0, 0])

    for name, sources, axis in [("one", [(2, 3)], 0), ("rows", [(2, 3), (1, 3)], 0),
                                ("columns", [(2, 1), (2, 2), (2, 1)], -1),
                                ("middle", [(2, 1, 2), (2, 2, 2)], 1), ("empty", [(0, 2), (2, 2), (0, 2)], 0),
                                ("vectors", [(2,), (3,)], 0)]:
        f.case(name, "concat", lambda *x, a=axis: tf.concat(x, a),
               [random(f"{name}_{i}", *s) for i, s in enumerate(sources)], attrs=[axis])
    f.exact("int32", "concat", [np.int32([[1], [2]]), np.int32([[3, 4], [5, 6]])], [np.int32([[1, 3, 4], [2, 5, 6]])],
            attrs=[1])
    f.case("matrix", "stop_gradient", tf.stop_gradient, [random("stop", 2, 2)])


def sum_to(x, source, target):
    """x of shape `target` summed back to the shape `source` that was broadcast to it."""
    lead = len(target) - len(source)
    x = tf.reduce_sum(x, list(range(lead)))
    return tf.reduce_sum(x, [i for i, d in enumerate(source) if d == 1 and target[lead + i] != 1], keepdims=True) \
        if len(source) else x


def reductions(f):
    functions = {"sum": tf.reduce_sum, "mean": tf.reduce_mean, "max": tf.reduce_max, "min": tf.reduce_min}
    for op, function in functions.items():
        def case(name, x, axes, keep, order=2, **more):
            attrs = [int(keep), *([MISSING] if axes is None else axes)]
            f.case(name, op, lambda t: function(t, axes, keepdims=keep), [x], attrs=attrs, order=order, **more)

        random = Random(f"reduce/{op}")
        x = random.uniform((2, 3, 2))
        for name, axes, keep in [("all", None, False), ("all_kept", None, True), ("first", [0], False),
                                 ("middle", [1], True), ("last", [-1], False), ("two", [0, 2], False),
                                 ("inner", [1, 2], True), ("every", [2, 0, 1], False), ("none", [], False)]:
            case(name, x, axes, keep)
        case("scalar", random.uniform(()), None, False)
        case("one", random.uniform((1, 4)), [0], False)
        case("empty_kept_axis", np.zeros((0, 3), np.float32), [1], False)
        if op in ("sum", "mean"):
            # No second order: TensorFlow divides by max(n, 1) there, and so is not NaN.
            case("of_nothing", np.zeros((2, 0), np.float32), [1], False, order=2 if op == "sum" else 1)
        else:
            ties = np.float32([[1, 3, 3, 0], [2, 2, 2, 2], [-1, -1, -5, -5]])
            case("ties", ties, [1], False, kink=True)
            case("ties_all", ties, None, False, kink=True)
            case("infinite", np.float32([[-np.inf, 1], [np.inf, 0]]), [1], False, order=0)
    # Longer than the blocks of canon.md rules 8 and 9.
    f.patterned("long_row", "sum", lambda x: tf.reduce_sum(x, -1), [((2, 5000), 1)], attrs=[0, -1])
    f.patterned("longer", "sum", tf.reduce_sum, [((70001,), 2)], attrs=[0, MISSING])
    f.patterned("long_column", "sum", lambda x: tf.reduce_sum(x, 0), [((2500, 3), 3)], attrs=[0, 0])
    f.patterned("long_middle", "mean", lambda x: tf.reduce_mean(x, 1), [((2, 1100, 2), 4)], attrs=[0, 1])
    f.patterned("long_row", "max", lambda x: tf.reduce_max(x, 1), [((3, 4099), 5)], attrs=[0, 1])
    f.patterned("long_column", "min", lambda x: tf.reduce_min(x, 0), [((4099, 2), 6)], attrs=[0, 0])
    a = np.int32([[2**31 - 1, 5, -3], [7, -2**31, 0]])
    for axes in ([0], [1]):
        wide = a.astype(np.int64).sum(axes[0])
        f.exact(f"int32_axis_{axes[0]}", "sum", [a], [((wide + 2**31) % 2**32 - 2**31).astype(np.int32)],
                attrs=[0, *axes])
        f.exact(f"int32_axis_{axes[0]}", "max", [a], [a.max(axes[0])], attrs=[0, *axes])
        f.exact(f"int32_axis_{axes[0]}", "min", [a], [a.min(axes[0])], attrs=[0, *axes])
    f.exact("int32_all", "sum", [np.int32([[1, 2], [3, 4]])], [np.int32(10)], attrs=[0, MISSING])

    for op, function in {"argmax": np.argmax, "argmin": np.argmin}.items():
        x = Random(f"reduce/{op}").uniform((2, 3, 4))
        for axis in (0, 1, 2, -1):
            f.exact(f"axis_{axis}", op, [x], [function(x, axis).astype(np.int32)], attrs=[axis])
        ties = np.float32([[1, 3, 3, 0], [2, 2, 2, 2], [-1, -1, -5, -5], [0, -0.0, 0, -0.0]])
        f.exact("ties", op, [ties], [function(ties, 1).astype(np.int32)], attrs=[1])
        f.exact("empty", op, [np.zeros((0, 3), np.float32)], [np.zeros(0, np.int32)], attrs=[1])
        numbers = lambda x: tf.zeros(x.shape[:1], x.dtype)
        f.patterned("long_row", op, numbers, [((3, 4099), 7)], attrs=[1],
                    truth=lambda x, g=function: g(x, 1).astype(np.int32))
        f.patterned("long_column", op, numbers, [((4099, 3), 8)], attrs=[0],
                    truth=lambda x, g=function: g(x, 0).astype(np.int32))


def indexing(f):
    for name, source, ids, axis in [
            ("rows", (4, 3), [2, 0, 2, 3], 0), ("matrix_of_ids", (3, 2), [[0, 2], [1, 1]], 0),
            ("columns", (2, 4), [3, 3, 0], 1), ("last", (2, 2, 3), [2, 0], -1), ("one", (3, 2), 1, 0),
            ("middle", (2, 3, 2), [[1, 1], [0, 2]], 1), ("no_ids", (3, 2), np.zeros(0), 0),
            ("vector", (5,), [4, 0, 4], 0), ("empty_rows", (3, 0), [1, 2], 0)]:
        ids = np.asarray(ids).astype(np.int32)
        random = Random(f"index/{name}")
        f.case(name, "gather", lambda x, i, a=axis: tf.gather(x, i, axis=a), [random.uniform(source), ids],
               attrs=[axis])
        a = axis % len(source)
        updates = source[:a] + ids.shape + source[a + 1:]

        def scatter_add(base, i, u, a=a, s=source):
            # tensor_scatter_nd_add works on axis 0 and one dimension of indices, and not on nothing.
            if 0 in s:
                return tf.identity(base)
            rest = s[:a] + s[a + 1:]
            order = [a] + [d for d in range(len(s)) if d != a]
            moved = tf.transpose(base, order)
            ranks = list(range(len(s) - 1 + len(i.shape)))
            turned = tf.transpose(u, ranks[a:a + len(i.shape)] + ranks[:a] + ranks[a + len(i.shape):])
            turned = tf.reshape(turned, (int(np.prod(i.shape)), *rest))
            added = tf.tensor_scatter_nd_add(moved, tf.reshape(i, (-1, 1)), turned)
            return tf.transpose(added, np.argsort(order))
        f.case(name, "scatter_add", scatter_add, [random.uniform(source), ids, random.uniform(updates)], attrs=[axis])
    table, ids = np.arange(6, dtype=np.int32).reshape(3, 2), np.int32([2, 2, 0])
    f.exact("int32", "gather", [table, ids], [table[ids]], attrs=[0])
    f.exact("uint8", "gather", [table.astype(np.uint8), ids], [table.astype(np.uint8)[ids]], attrs=[0])

    def one_hot(labels, depth):
        return (np.asarray(labels)[..., None] == np.arange(depth)).astype(np.float32)

    for name, labels, depth in [("vector", [0, 2, 1, 2], 3), ("matrix", [[1, 0], [3, 2]], 4), ("scalar", 1, 2),
                                ("no_labels", np.zeros((0,)), 3)]:
        labels = np.asarray(labels).astype(np.int32)
        f.exact(name, "one_hot", [labels], [one_hot(labels, depth)], attrs=[depth])
    for n in (0, 1, 70):
        f.exact(f"n_{n}", "arange", [], [np.arange(n, dtype=np.int32)], attrs=[n])


def families():
    result = []
    for name, fill in {"shape": shape, "reduce": reductions, "index": indexing}.items():
        result.append(Family(name))
        fill(result[-1])
    return result
