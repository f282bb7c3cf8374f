# SPDX-License-Identifier: Apache-2.0
"""Goldens of the optimizers' rules: Keras' formulas in numpy float64, checked against Keras itself."""

import keras
import numpy as np

from engine import Family, Random, bound, nudged

STEPS = 5


def sgd(w, v, gradients, lr, momentum, nesterov, kind):
    """The variable after each step, then the velocity if there is one."""
    w, v, lr, momentum = kind(w), kind(v), kind(lr), kind(momentum)
    outputs = []
    for g in kind(gradients):
        v = momentum * v - lr * g
        v = np.where(np.abs(v) < 2.0**-100, kind(0), v)  # canon.md rule 17
        w = w + (momentum * v - lr * g) if nesterov else w + v
        outputs.append(w)
    return [*outputs, v] if momentum else outputs


def adam_rate(lr, beta1, beta2, kind):
    """The rate of each step, then the two powers."""
    lr, beta1, beta2, one = kind(lr), kind(beta1), kind(beta2), kind(1)
    p1, p2, outputs = one, one, []
    for _ in range(STEPS):
        p1, p2 = p1 * beta1, p2 * beta2
        outputs.append(lr * np.sqrt(one - p2) / (one - p1))
    return [*outputs, p1, p2]


def adam(w, m, v, gradients, lr, beta1, beta2, epsilon, kind):
    """The variable after each step, then both moments; epsilon on the uncorrected second moment."""
    rates = adam_rate(lr, beta1, beta2, kind)
    w, m, v, beta1, beta2, epsilon, one = [kind(x) for x in (w, m, v, beta1, beta2, epsilon, 1)]
    outputs = []
    for g, rate in zip(kind(gradients), rates):
        square = np.where(np.abs(g) < 2.0**-50, kind(0), g * g)  # canon.md rule 17, thrice
        m = m + (g - m) * (one - beta1)
        m = np.where(np.abs(m) < 2.0**-100, kind(0), m)
        v = v + (square - v) * (one - beta2)
        v = np.where(v < 2.0**-120, kind(0), v)
        w = w - rate * m / (np.sqrt(v) + epsilon)
        outputs.append(w)
    return [*outputs, m, v]


def float64(x):
    return np.asarray(x, np.float32).astype(np.float64)  # what the caller can hand over is a float32


def float64_as_is(x):
    return np.asarray(x, np.float64)


def case(f, name, op, rule, arrays, scalars, attrs=(), covers=(), flat=False):
    """`flat`: at the edge of a flush, where nudging would jump."""
    generator = Random(f"{name}/{op}/nudges").generator
    with np.errstate(under="ignore"):
        truth = rule(*arrays, *scalars, float64)
        single = rule(*arrays, *scalars, np.float32)
    # The learning rate moves too; the betas do not: half an ulp of 0.999 is 3e-5 of 1 - 0.999.
    moved = []
    for _ in range(0 if flat else 4):
        moved.append(rule(*[nudged(x, generator) for x in arrays],
                          float(nudged(np.float32(scalars[0]), generator)),
                          *[float(np.float32(x)) for x in scalars[1:]], float64_as_is))
    bounds = [bound(np.asarray(t), [np.float64(single[i])], [o[i] for o in moved]) for i, t in enumerate(truth)]
    reals = [x for x in scalars if not isinstance(x, bool)]
    f.exact(name, op, arrays, [np.asarray(t) for t in truth], attrs=attrs, reals=reals, covers=covers, bounds=bounds)
    return truth


def check_keras(optimizer, w, gradients, truth):
    """Keras' own float32 result after every step. Its 1 - 0.999 is 1.3e-5 off ours, so not exact."""
    variable = keras.Variable(w)
    optimizer.build([variable])
    for g, expected in zip(gradients, truth):
        optimizer.apply([g], [variable])
        np.testing.assert_allclose(np.asarray(variable), expected, rtol=2e-5, atol=1e-7)


def optimizers(f):
    shape = (2, 3)
    random = Random("optimizers")
    w, zero = random.uniform(shape, -0.25, 0.25), np.zeros(shape, np.float32)
    gradients = random.uniform((STEPS, *shape), -1, 1)

    # attrs: nesterov, with a velocity
    for name, lr, momentum, nesterov in [("plain", 0.01, 0.0, False), ("momentum", 0.01, 0.9, False),
                                         ("nesterov", 0.01, 0.9, True), ("large_rate", 0.5, 0.75, False)]:
        rule = lambda w, v, g, lr, mu, kind, n=nesterov: sgd(w, v, g, lr, mu, n, kind)
        truth = case(f, name, "update_sgd", rule, [w, zero, gradients], [lr, momentum],
                     attrs=[nesterov, momentum != 0], covers=["flush_first"] if momentum else [])
        check_keras(keras.optimizers.SGD(lr, momentum=momentum, nesterov=nesterov), w, gradients, truth)
    # Velocities on both sides of 2^-100; products stay normal.
    edge = np.float32([2.0**-100, 2.0**-101, -(2.0**-99), 1.5 * 2.0**-100, -(2.0**-102), 2.0**-98])
    rule = lambda w, v, g, lr, mu, kind: sgd(w, v, g, lr, mu, False, kind)
    case(f, "flush", "update_sgd", rule, [np.zeros(6, np.float32), edge, np.zeros((1, 6), np.float32)], [0.01, 0.75],
         attrs=[False, True], covers=["flush_first"], flat=True)

    f_rate = lambda lr, b1, b2, kind: adam_rate(lr, b1, b2, kind)
    case(f, "keras", "update_adam_rate", f_rate, [], [1e-3, 0.9, 0.999])
    case(f, "wgan", "update_adam_rate", f_rate, [], [1e-4, 0.5, 0.9])

    rows = ["flush_square", "flush_first", "flush_second"]
    for name, start, lr, beta1, beta2, epsilon in [
            ("keras", w, 1e-3, 0.9, 0.999, 1e-7), ("from_zero", zero, 1e-3, 0.9, 0.999, 1e-7),
            ("wgan", w, 1e-4, 0.5, 0.9, 1e-7), ("large_epsilon", w, 0.01, 0.9, 0.99, 0.1)]:
        truth = case(f, name, "update_adam", adam, [start, zero, zero, gradients], [lr, beta1, beta2, epsilon],
                     covers=rows)
        check_keras(keras.optimizers.Adam(lr, beta1, beta2, epsilon), start, gradients, truth)
    # g * g counts as 0 below |g| = 2^-50: v stays 0 there.
    g = np.float32([[2.0**-50, 2.0**-51, -(2.0**-49), 1.25 * 2.0**-50, -0.9 * 2.0**-50, 2.0**-48]])
    none = np.zeros(6, np.float32)
    case(f, "flush_square", "update_adam", adam, [none, none, none, g], [1e-3, 0.9, 0.99, 1e-7], covers=rows, flat=True)
    # Moments that decay across their thresholds.
    m = np.float32([2.0**-100, 1.25 * 2.0**-100, -(2.0**-101), -(2.0**-99), 2.0**-98, 0])
    case(f, "flush_first", "update_adam", adam, [none, m, none, np.zeros((1, 6), np.float32)], [1e-3, 0.9, 0.99, 1e-7],
         covers=rows, flat=True)
    v = np.float32([2.0**-120, 1.25 * 2.0**-120, 2.0**-121, 2.0**-119, 2.0**-118, 0])
    case(f, "flush_second", "update_adam", adam, [none, none, v, np.zeros((1, 6), np.float32)], [1e-3, 0.9, 0.99, 1e-7],
         covers=rows, flat=True)


def families():
    f = Family("optimizers")
    optimizers(f)
    return [f]
