# SPDX-License-Identifier: Apache-2.0
"""Goldens of matrix products, of softmax and cross-entropy, and of small networks made of many ops."""

import numpy as np
import tensorflow as tf

from engine import Family, Random

ACTIVATIONS = {"linear": (0, tf.identity), "relu": (1, tf.nn.relu), "sigmoid": (2, tf.sigmoid), "tanh": (3, tf.tanh)}


def matmul(f):
    def case(name, a, b, bias=None, transpose_a=False, transpose_b=False, activation="linear"):
        random = Random(f"matmul/{name}")
        code, function = ACTIVATIONS[activation]

        def product(a, b, *bias):
            y = tf.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
            return function(y + bias[0] if bias else y)
        inputs = [random.uniform(a), random.uniform(b), *([random.uniform(bias)] if bias else [])]
        f.case(name, "matmul", product, inputs, attrs=[transpose_a, transpose_b, code])

    case("plain", (3, 4), (4, 2))
    case("transpose_a", (4, 3), (4, 2), transpose_a=True)
    case("transpose_b", (3, 4), (2, 4), transpose_b=True)
    case("transpose_both", (4, 3), (2, 4), transpose_a=True, transpose_b=True)
    case("one", (1, 1), (1, 1))
    case("row_column", (1, 5), (5, 1))
    case("outer", (3, 1), (1, 4))
    case("batched", (2, 2, 3), (2, 3, 2))
    case("batched_transpose_a", (2, 3, 2), (2, 3, 2), transpose_a=True)
    case("batched_transpose_b", (2, 2, 3), (2, 2, 3), transpose_b=True)
    case("batched_transpose_both", (2, 3, 2), (2, 2, 3), transpose_a=True, transpose_b=True)
    case("shared_right", (2, 2, 3), (3, 2))
    case("shared_left", (2, 3), (2, 3, 2))
    case("broadcast_batches", (2, 1, 2, 3), (3, 3, 1))
    case("broadcast_transpose_b", (2, 1, 2, 3), (3, 1, 3), transpose_b=True)
    case("one_batch", (1, 2, 3), (2, 3, 2))
    for activation in ACTIVATIONS:
        case(f"bias_{activation}", (3, 4), (4, 2), (2,), activation=activation)
    case("relu_alone", (3, 4), (4, 2), activation="relu")
    case("bias_batched", (2, 2, 3), (2, 3, 2), (2,), activation="tanh")
    case("bias_shared_transpose", (2, 2, 3), (2, 3), (2,), transpose_b=True, activation="sigmoid")
    case("no_rows", (0, 3), (3, 2), (2,))
    case("no_columns", (2, 3), (3, 0))
    case("no_inner", (2, 0), (0, 3))
    case("no_inner_bias", (2, 0), (0, 3), (3,))
    case("no_batch", (0, 2, 3), (3, 2))
    # Longer than the blocks of canon.md rule 6, and wider than a register tile.
    plain = lambda a, b: tf.matmul(a, b)
    f.patterned("long_inner", "matmul", plain, [((2, 1500), 1), ((1500, 3), 2)], attrs=[0, 0, 0])
    f.patterned("longer_inner", "matmul", lambda a, b: tf.matmul(a, b, transpose_b=True), 
                [((2, 2049), 3), ((2, 2049), 4)], attrs=[0, 1, 0])
    f.patterned("tails", "matmul", lambda a, b: tf.reshape(tf.matmul(a, b, transpose_a=True), (17, 19)),
                [((7, 17), 5), ((7, 19), 6)], attrs=[1, 0, 0])


def softmax(f):
    for op, function in {"softmax": tf.nn.softmax, "log_softmax": tf.nn.log_softmax}.items():
        for name, shape, axis in [("last", (2, 4), -1), ("first", (3, 2), 0), ("middle", (2, 3, 2), 1),
                                  ("vector", (5,), 0), ("length_one", (3, 1), 1), ("empty", (0, 3), 1)]:
            random = Random(f"{op}/{name}")
            f.case(name, op, lambda x, a=axis: function(x, a), [random.uniform(shape, -4, 4)], attrs=[axis])
        f.case("ties", op, lambda x: function(x, -1), [np.float32([[1, 1, 1], [2, 2, -1]])], attrs=[-1])
        f.case("large", op, lambda x: function(x, -1), [np.float32([[1e4, 9999, 9998.5], [-1e4, -9999, -1e4]])],
               attrs=[-1], order=0, kink=True)
    f.patterned("long", "softmax", lambda x: tf.nn.softmax(x, -1)[:, :40], [((1, 40), 1)], attrs=[-1])
    f.patterned("long_column", "log_softmax", lambda x: tf.nn.log_softmax(x, 0), [((40, 2), 2)], attrs=[0])

    def cross_entropy(labels, logits):
        # Composed, because TensorFlow's fused op keeps its probabilities from the second order.
        log_p = tf.nn.log_softmax(logits, -1)
        return -tf.gather(log_p, labels, batch_dims=len(labels.shape), axis=len(labels.shape))

    for name, labels, classes in [("vector", [2, 0, 1], 4), ("matrix", [[1, 0], [2, 2]], 3), ("scalar", 1, 3),
                                  ("one_class", [0, 0], 1), ("none", np.zeros(0), 3)]:
        labels = np.asarray(labels).astype(np.int32)
        logits = Random(f"xent/{name}").uniform((*labels.shape, classes), -4, 4)
        f.case(name, "sparse_softmax_cross_entropy", cross_entropy, [labels, logits])
        ours = cross_entropy(tf.constant(labels), tf.constant(logits, tf.float64))
        theirs = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.constant(logits, tf.float64))
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    f.case("large", "sparse_softmax_cross_entropy", cross_entropy,
           [np.int32([1, 0, 2]), np.float32([[1e4, 0, 0], [1e4, 0, -1e4], [5, 5, 5]])], order=1, kink=True)
    f.patterned("many_classes", "sparse_softmax_cross_entropy", cross_entropy,
                [np.int32([0, 4200, 777]), ((3, 4201), 9)])


# The functions below are written again, with ls_ ops, in tests/golden_networks.c.

def net_power(x):
    return tf.square(tf.square(x))


def net_shared(x):
    """One tensor with many consumers, and most shape ops."""
    a = x * x + tf.sin(x) * x - x / (1 + tf.square(x))
    b = tf.concat([a, x, tf.transpose(tf.reshape(a, (3, 2)))], 0)  # (6, 3)
    c = tf.gather(b, [5, 0, 0, 3], axis=0)[::2, ::-1]              # (2, 3)
    return tf.exp(0.25 * c) * tf.reduce_mean(b, 0) + tf.where(x > 0, x, a) * tf.reduce_max(b, [0, 1])


def net_mlp(x, w1, b1, w2, labels):
    h = tf.tanh(tf.matmul(x, w1) + b1)
    log_p = tf.nn.log_softmax(tf.matmul(h, w2), -1)
    return -tf.gather(log_p, labels, batch_dims=1, axis=1)


def net_attention(q, k, v):
    return tf.matmul(tf.nn.softmax(0.5 * tf.matmul(q, k, transpose_b=True), -1), v)


def net_norm(x, gamma, beta):
    centred = x - tf.reduce_mean(x, -1, keepdims=True)
    return centred * tf.math.rsqrt(tf.reduce_mean(tf.square(centred), -1, keepdims=True) + 0.125) * gamma + beta


def net_logsumexp(x):
    m = tf.reduce_max(x, 0, keepdims=True)
    return tf.math.log(tf.reduce_sum(tf.exp(x - m), 0)) + tf.reshape(m, (-1,))


def net_penalty(x, w1, w2):
    """(|d critic / dx| - 1)^2 of a two-layer critic: the gradient penalty of WGAN-GP."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(tf.matmul(tf.tanh(tf.matmul(x, w1)), w2))
    norm = tf.sqrt(tf.reduce_sum(tf.square(tape.gradient(y, x)), 1))
    return tf.square(norm - 1)


def networks(f):
    def case(function, shapes, *integers):
        name = function.__name__
        random = Random(name)
        f.case("random", name, function, [*[random.uniform(s) for s in shapes], *integers])

    f.case("two", "net_power", net_power, [np.float32(2)])
    case(net_shared, [(2, 3)])
    case(net_mlp, [(4, 3), (3, 5), (5,), (5, 3)], np.int32([2, 0, 1, 1]))
    case(net_attention, [(2, 3, 2), (2, 3, 2), (2, 3, 2)])
    case(net_norm, [(3, 4), (4,), (4,)])
    case(net_logsumexp, [(4, 3)])
    case(net_penalty, [(3, 4), (4, 3), (3, 1)])


def families():
    result = []
    for name, fill in {"matmul": matmul, "softmax": softmax, "network": networks}.items():
        result.append(Family(name))
        fill(result[-1])
    return result
