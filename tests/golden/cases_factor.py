# SPDX-License-Identifier: Apache-2.0
"""Goldens of triangular_solve and cholesky."""

import numpy as np
import tensorflow as tf

from engine import Family, Random


def triangle(name, *shape):
    """Well conditioned: what is not on the diagonal is small."""
    a = Random(f"factor/{name}").uniform(shape, -0.5, 0.5)
    return (a + 2 * np.eye(shape[-1], dtype=np.float32)).astype(np.float32)


def positive(name, *shape):
    a = triangle(name, *shape).astype(np.float64)
    return (a @ np.swapaxes(a, -1, -2)).astype(np.float32)


def families():
    f = Family("factor")
    for upper in (0, 1):
        for transpose in (0, 1):
            f.case(f"upper{upper}_transpose{transpose}", "triangular_solve",
                   lambda a, b, u=upper, t=transpose: tf.linalg.triangular_solve(a, b, lower=not u, adjoint=bool(t)),
                   [triangle(f"a{upper}{transpose}", 5, 5), Random(f"factor/b{upper}{transpose}").uniform((5, 2))],
                   attrs=[upper, transpose])
    solve = tf.linalg.triangular_solve
    f.case("batch", "triangular_solve", solve, [triangle("batch", 2, 3, 3), Random("factor/batch_b").uniform((2, 3, 1))],
           attrs=[0, 0])
    f.case("one", "triangular_solve", solve, [triangle("one", 1, 1), Random("factor/one_b").uniform((1, 3))], attrs=[0, 0])
    f.case("nothing", "triangular_solve", solve, [np.zeros((0, 0), np.float32), np.zeros((0, 2), np.float32)],
           attrs=[0, 0])
    for name, shape in (("five", (5, 5)), ("batch", (2, 3, 3)), ("one", (1, 1)), ("nothing", (0, 0))):
        f.case(name, "cholesky", tf.linalg.cholesky, [positive(name, *shape)])
    return [f]
