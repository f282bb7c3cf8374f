# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden_tape.h: what TensorFlow, in float64, gives for the network of tests/tape_check.h.

    python generate_tape.py > ../golden_tape.h
"""
import numpy as np
import tensorflow as tf


def numbers(shape, seed):
    """Multiples of 1/8 in [-0.75, 0.75], as in the test."""
    n = int(np.prod(shape))
    return tf.constant([((i * 7 + seed * 5) % 13 - 6) / 8 for i in range(n)], tf.float64, shape=shape)


x, w1, w2 = numbers((3, 4), 1), numbers((4, 3), 2), numbers((3, 2), 3)
vx, vw = numbers((3, 4), 4), numbers((4, 3), 5)
dy0, dy1 = numbers((3, 2), 6), numbers((3,), 7)


def network(x, w1):
    return tf.matmul(tf.tanh(tf.matmul(x, w1)), w2)


def emit(name, tensor):
    values = np.asarray(tensor, np.float64).ravel()
    print(f"static const double golden_{name}[{len(values)}] = {{")
    for i in range(0, len(values), 6):
        print("    " + " ".join(f"{v:.12g}," for v in values[i:i + 6]))
    print("};")


print("/* SPDX-License-Identifier: Apache-2.0 */")
print("/* Made by golden/generate_tape.py with TensorFlow " + tf.__version__ + ". Do not edit. */")

with tf.GradientTape(persistent=True) as tape:
    tape.watch([x, w1])
    y = network(x, w1)
emit("jacobian", tape.jacobian(y, w1))
emit("batch_jacobian", tape.batch_jacobian(y, x))

with tf.autodiff.ForwardAccumulator([x, w1], [vx, vw]) as accumulator:
    y = network(x, w1)
emit("jvp", accumulator.jvp(y))

with tf.GradientTape() as outer:
    outer.watch(w1)
    with tf.GradientTape() as inner:
        inner.watch(w1)
        loss = tf.reduce_sum(tf.square(network(x, w1)))
    g = inner.gradient(loss, w1)
emit("hvp", outer.gradient(g, w1, output_gradients=vw))

with tf.GradientTape() as tape:
    tape.watch([x, w1])
    y = network(x, w1)
    row = tf.reduce_sum(tf.square(y), axis=1)
gx, gw = tape.gradient([y, row], [x, w1], output_gradients=[dy0, dy1])
emit("targets_x", gx)
emit("targets_w", gw)

# The third derivative of exp(x^2) and the Hessian of a sum of cubes of a product.
z = tf.constant(0.5, tf.float64)
with tf.GradientTape() as t3:
    t3.watch(z)
    with tf.GradientTape() as t2:
        t2.watch(z)
        with tf.GradientTape() as t1:
            t1.watch(z)
            y = tf.exp(z * z)
        d1 = t1.gradient(y, z)
    d2 = t2.gradient(d1, z)
emit("third", t3.gradient(d2, z))

row = x[0]
with tf.GradientTape() as t2:
    t2.watch(row)
    with tf.GradientTape() as t1:
        t1.watch(row)
        y = tf.reduce_sum(tf.tanh(tf.matmul(row[None, :], w1)) ** 3.0)
    g = t1.gradient(y, row)
emit("hessian", t2.jacobian(g, row))
