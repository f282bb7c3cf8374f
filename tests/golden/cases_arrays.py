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


def families():
    result = []
    for name, fill in {"arrange": arrange}.items():
        result.append(Family(name))
        fill(result[-1])
    return result
