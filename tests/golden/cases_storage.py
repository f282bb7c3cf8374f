# SPDX-License-Identifier: Apache-2.0
"""Goldens of float16 and bfloat16: casts from and to float32 and the other types."""

import numpy as np
import tensorflow as tf

from engine import Family

CODES = {np.float32: 0, np.int32: 1, np.uint8: 2, np.bool_: 3, np.float16: 4, tf.bfloat16.as_numpy_dtype: 5}
ROWS = {np.float16: "float16", tf.bfloat16.as_numpy_dtype: "bfloat16"}


def halfway(kind):
    """Between neighbours, and one float32 step to either side, with even and odd neighbours below."""
    codes = [0, 1, 2, 3, 0x200, 0x3ff, 0x400, 0x401, 0x3c00, 0x3c01, 0x4248, 0x4249]
    codes += [0x7f, 0x80, 0x3f80, 0x3f81, 0x7f7e] if kind != np.float16 else [0x7bfd, 0x7bfe]
    below = np.array(codes, np.uint16).view(kind).astype(np.float64)
    above = (np.array(codes, np.uint16) + 1).astype(np.uint16).view(kind).astype(np.float64)
    middle = ((below + above) / 2).astype(np.float32)
    around = [middle, np.nextafter(middle, np.float32(np.inf)), np.nextafter(middle, np.float32(0))]
    return np.concatenate([np.concatenate(around), -middle])


def families():
    f = Family("storage")
    plain = np.float32([0, -0.0, 1, -1.5, 0.1, 1 / 3, 65504, 65519.996, 65520, -65536, 1e-8, 6e-8, 3.38e38, 3.4e38,
                        -3.4028234e38, 1e-40, np.inf, -np.inf, np.nan])
    for kind, name in ROWS.items():
        for x, label in ((plain, "plain"), (halfway(kind), "halfway")):
            with np.errstate(over="ignore"):
                y = np.asarray(tf.cast(tf.constant(x), name))
                assert np.array_equal(y.view(np.uint16), x.astype(kind).view(np.uint16)), (name, label)
            f.exact(f"{label}_to_{name}", "cast", [x], [y], attrs=[CODES[kind]], covers=[f"to_{name}"],
                    flags=["subnormal"])
            f.exact(f"{label}_from_{name}", "cast", [y], [np.asarray(tf.cast(tf.constant(y), tf.float32))],
                    attrs=[0], covers=[f"from_{name}"], flags=["subnormal"])
        whole = np.int32([0, 1, -3, 2049, 2051, 65535, 70000, -(2**24)])
        f.exact(f"int32_to_{name}", "cast", [whole], [whole.astype(np.float32).astype(kind)], attrs=[CODES[kind]])
        small = np.float32([0, -0.0, 2.75, -2.75, 200, 1e-4]).astype(kind)
        f.exact(f"{name}_to_int32", "cast", [small], [small.astype(np.int32)], attrs=[1])
        f.exact(f"{name}_to_bool", "cast", [small], [small != 0], attrs=[3])
        f.exact(f"scalar_{name}", "cast", [np.float32(0.7)], [np.float32(0.7).astype(kind)], attrs=[CODES[kind]])
        f.exact(f"empty_{name}", "cast", [np.zeros((0, 3), np.float32)], [np.zeros((0, 3), kind)], attrs=[CODES[kind]])
    half, brain = list(ROWS)
    x = np.float32([1.0009765625, -3.140625, 65504, 6e-8, 0]).astype(half)
    f.exact("float16_to_bfloat16", "cast", [x], [x.astype(np.float32).astype(brain)], attrs=[5])
    y = np.float32([1.0078125, -3.140625, 65536, 1e-7, 0]).astype(brain)
    with np.errstate(over="ignore"):
        f.exact("bfloat16_to_float16", "cast", [y], [y.astype(np.float32).astype(half)], attrs=[4])
    return [f]
