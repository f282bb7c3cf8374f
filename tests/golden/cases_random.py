# SPDX-License-Identifier: Apache-2.0
"""Goldens of the random ops. The words are those of TensorFlow's own Philox4x32-10."""

import numpy as np
import tensorflow as tf

from engine import Family


def words(seed, step, n):
    """Words 0 to n - 1: counter (i / 4, stream 0, step, 0), key = seed (canon.md rule 15)."""
    return tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[n], key=tf.constant([seed], tf.uint64), counter=tf.constant([0, step], tf.uint64), alg=1,
        dtype=tf.uint32).numpy()


def uniform(seed, step, shape, low, high):
    u = (words(seed, step, int(np.prod(shape))) >> 8).astype(np.float64) * 2.0**-24
    low, high = np.float32(low), np.float32(high)
    return np.reshape(float(low) + u * float(np.float32(high - low)), shape)


def normal(seed, step, shape, mean, stddev):
    """Box and Muller, as canon_normal4 in shaders/canon_trig.h says: of words x, y, z, w in fours."""
    n = int(np.prod(shape))
    w = (words(seed, step, (n + 3) // 4 * 4) >> 8).astype(np.float64).reshape(-1, 2)
    radius, turn = np.sqrt(-2 * np.log((w[:, 0] + 1) * 2.0**-24)), 2 * np.pi * w[:, 1] * 2.0**-24
    z = np.stack([radius * np.cos(turn), radius * np.sin(turn)], 1).reshape(-1)[:n]
    return np.reshape(float(np.float32(mean)) + z * float(np.float32(stddev)), shape)


def families():
    f = Family("random")
    # attrs: the seed, the number of draws since it was set, the shape
    for name, seed, draw, shape, low, high in [
            ("first", 0, 0, (8,), 0, 1), ("second_draw", 0, 1, (2, 3), 0, 1), ("third_draw", 42, 2, (5,), 0, 1),
            ("long_seed", 0x0123456789ABCDEF, 0, (9,), 0, 1), ("range", 7, 0, (3, 4), -0.3, 0.7),
            ("scalar", 3, 0, (), 0, 1), ("nothing", 3, 0, (0, 2), 0, 1)]:
        truth = uniform(seed, draw, shape, low, high)
        bound = 0.0 if (low, high) == (0, 1) else 2.0**-24
        f.exact(name, "random_uniform", [], [truth], attrs=[seed, draw, *shape], reals=[low, high], bounds=[bound])
    for name, seed, draw, shape, mean, stddev in [
            ("first", 0, 0, (12,), 0, 1), ("second_draw", 42, 1, (3, 3), 0, 1),
            ("moments", 0x0123456789ABCDEF, 0, (2, 5), -0.5, 0.05),
            ("scalar", 3, 0, (), 0, 1)]:
        truth = normal(seed, draw, shape, mean, stddev)
        f.exact(name, "random_normal", [], [truth], attrs=[seed, draw, *shape], reals=[mean, stddev],
                bounds=[8 * 2.0**-24 * float(np.max(np.abs(truth)))])
    return [f]
