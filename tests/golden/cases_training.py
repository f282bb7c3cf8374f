# SPDX-License-Identifier: Apache-2.0
"""Goldens of whole optimizers, schedules and clipping: Keras itself, run in float64 and in float32."""

import re

import keras
import numpy as np
import tensorflow as tf

from engine import Family, Random, bound, nudged

STEPS = 6
SHAPES = {"kernel": (2, 3), "bias": (3,)}

# ---- Optimizers ----

# In the order of make_optimizer in golden_training.c: the class and what its three numbers and its flag are.
KINDS = {"sgd": (keras.optimizers.SGD, ["momentum"], "nesterov"),
         "adam": (keras.optimizers.Adam, ["beta_1", "beta_2", "epsilon"], "amsgrad"),
         "adamw": (keras.optimizers.AdamW, ["beta_1", "beta_2", "epsilon"], "amsgrad"),
         "rmsprop": (keras.optimizers.RMSprop, ["rho", "momentum", "epsilon"], "centered"),
         "adagrad": (keras.optimizers.Adagrad, ["initial_accumulator_value", "epsilon"], None)}
EXTRAS = ["weight_decay", "clipnorm", "global_clipnorm", "clipvalue"]
UPDATES = {"sgd": "update_sgd", "adam": "update_adam", "adamw": "update_adam", "rmsprop": "update_rmsprop",
           "adagrad": "update_adagrad"}


def as_float32(x):
    return float(np.float32(x))


def run(kind, options, arrays, missing, exclude, floatx, round32=True):
    """The variables after every step, then the optimizer's own in Keras' order, flat."""
    keras.backend.set_floatx(floatx)
    value = as_float32 if round32 else float
    cls, numbers, _ = KINDS[kind]
    options = {k: value(v) if isinstance(v, float) else v for k, v in options.items()}
    if "ema_momentum" in options:
        options["ema_momentum"] = float(options["ema_momentum"])
    optimizer = cls(**options)
    w = [keras.Variable(np.asarray(a, floatx), name=n) for n, a in zip(SHAPES, arrays[:2])]
    if exclude:
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.build(w)
    histories = [[], []]
    for step in range(STEPS):
        gradients = [tf.constant(np.asarray(g[step], floatx)) for g in arrays[2:]]
        if step == missing:
            gradients[1] = None
        optimizer.apply(gradients, w)
        for history, variable in zip(histories, w):
            history.append(np.asarray(variable.numpy(), np.float64))
    state = [np.asarray(v.numpy(), np.float64).ravel() for v in optimizer.variables[2:]]
    keras.backend.set_floatx("float32")
    return [np.stack(histories[0]), np.stack(histories[1]), np.concatenate([np.zeros(1), *state])]


def optimizer_case(f, name, kind, lr, numbers=(), flag=False, missing=-1, exclude=False, **extra):
    names = KINDS[kind][1]
    options = {"learning_rate": lr, **dict(zip(names, numbers))}
    if flag:
        options[KINDS[kind][2]] = True
    options.update(extra)
    random = Random(f"training/optimizer/{name}")
    arrays = [random.uniform(s, -0.5, 0.5) for s in SHAPES.values()]
    arrays += [random.uniform((STEPS, *s), -1, 1) for s in SHAPES.values()]
    truth = run(kind, options, arrays, missing, exclude, "float64")
    single = run(kind, options, arrays, missing, exclude, "float32")
    moved = []
    for _ in range(4):
        shaken = {**options, "learning_rate": float(nudged(np.float32(lr), random.generator))}
        moved.append(run(kind, {k: as_float32(v) if isinstance(v, float) and k != "learning_rate" else v
                                for k, v in shaken.items()},
                         [nudged(a, random.generator) for a in arrays], missing, exclude, "float64", round32=False))
    bounds = [bound(t, [s], [m[i] for m in moved]) for i, (t, s) in enumerate(zip(truth, single))]
    covers = [UPDATES[kind], "flush_first", "flush_second", "flush_square"]
    covers += ["update_amsgrad"] if kind.startswith("adam") and flag else []
    covers += ["update_weight_decay"] if "weight_decay" in extra or kind == "adamw" else []
    covers += ["update_average"] if extra.get("use_ema") else []
    attrs = [list(KINDS).index(kind), flag, missing, exclude, bool(extra.get("use_ema")),
             round(64 * extra.get("ema_momentum", 0)), extra.get("ema_overwrite_frequency", 0) or 0,
             extra.get("gradient_accumulation_steps", 0) or 0]
    reals = [lr, *([*numbers, 0.0, 0.0, 0.0][:3]), *[extra.get(k, 0.0) for k in EXTRAS]]
    f.exact(name, "optimizer", arrays, truth, attrs=attrs, reals=reals, covers=covers, bounds=bounds)


def optimizers(f):
    adam = [0.9, 0.99, 1e-3]
    optimizer_case(f, "sgd_decay", "sgd", 0.1, [0.0], weight_decay=0.05)
    optimizer_case(f, "sgd_nesterov_clipnorm", "sgd", 0.1, [0.75], flag=True, clipnorm=0.5)
    optimizer_case(f, "adam", "adam", 0.01, adam)
    optimizer_case(f, "adam_amsgrad", "adam", 0.01, [0.9, 0.75, 1e-3], flag=True)
    optimizer_case(f, "adam_global_clipnorm", "adam", 0.01, adam, global_clipnorm=0.5)
    optimizer_case(f, "adam_missing", "adam", 0.01, adam, missing=2, global_clipnorm=0.5)
    optimizer_case(f, "adamw", "adamw", 0.01, adam, weight_decay=0.25)
    optimizer_case(f, "adamw_default_decay", "adamw", 0.5, adam)
    optimizer_case(f, "adamw_exclude", "adamw", 0.01, adam, weight_decay=0.25, exclude=True)
    optimizer_case(f, "rmsprop", "rmsprop", 0.01, [0.9, 0.0, 1e-3])
    optimizer_case(f, "rmsprop_momentum", "rmsprop", 0.01, [0.75, 0.5, 1e-3])
    optimizer_case(f, "rmsprop_centered", "rmsprop", 0.01, [0.75, 0.0, 1e-2], flag=True)
    optimizer_case(f, "rmsprop_both", "rmsprop", 0.01, [0.75, 0.5, 1e-2], flag=True)
    optimizer_case(f, "adagrad", "adagrad", 0.1, [0.1, 1e-3])
    optimizer_case(f, "adagrad_clipvalue", "adagrad", 0.1, [0.25, 1e-3], clipvalue=0.25)
    optimizer_case(f, "sgd_ema", "sgd", 0.1, [0.5], use_ema=True, ema_momentum=0.75)
    optimizer_case(f, "sgd_ema_overwrite", "sgd", 0.1, [0.5], use_ema=True, ema_momentum=0.75,
                   ema_overwrite_frequency=3)
    optimizer_case(f, "sgd_accumulate", "sgd", 0.1, [0.5], gradient_accumulation_steps=2, clipnorm=0.5)
    optimizer_case(f, "adam_accumulate", "adam", 0.01, adam, gradient_accumulation_steps=4)
    optimizer_case(f, "adamw_all", "adamw", 0.1, adam, flag=True, gradient_accumulation_steps=2, use_ema=True,
                   ema_momentum=0.5, ema_overwrite_frequency=2, global_clipnorm=0.25, weight_decay=0.25, missing=2)


# ---- Schedules ----


def schedule_case(f, name, kind, make, reals, flag, steps, boundaries=()):
    """`make` gives Keras' schedule from the numbers; steps nearby are not asked where the rate jumps."""
    def rates(numbers, dtype):
        keras.backend.set_floatx(dtype)
        schedule = make(*numbers)
        out = [float(np.asarray(schedule(tf.constant(int(s), tf.int64)))) for s in steps]
        keras.backend.set_floatx("float32")
        return np.asarray(out)

    generator = Random(f"training/schedule/{name}").generator
    numbers = [as_float32(r) for r in reals]
    truth, single = rates(numbers, "float64"), rates(numbers, "float32")
    moved = [rates([float(nudged(np.float32(numbers[0]), generator)), *numbers[1:]], "float64") for _ in range(4)]
    # Keras' own float32 may restart a step late; that is no bound.
    single = np.where(np.abs(single - truth) > 1e-3 * np.max(np.abs(truth)), truth, single)
    f.exact(name, "schedule", [np.asarray(steps, np.int32), *[np.float32(b) for b in boundaries]], [truth],
            attrs=[kind, flag], reals=reals, bounds=[bound(truth, [single], moved)])


def schedules(f):
    S = keras.optimizers.schedules
    steps = [0, 1, 2, 3, 7, 9, 10, 11, 19, 20, 21, 33, 100, 1000]
    for flag in (False, True):
        end = "_staircase" if flag else ""
        schedule_case(f, "exponential" + end, 0, lambda a, b, c, x=flag: S.ExponentialDecay(a, b, c, x),
                      [0.1, 10.0, 0.75], flag, steps)
        schedule_case(f, "inverse_time" + end, 3, lambda a, b, c, x=flag: S.InverseTimeDecay(a, b, c, x),
                      [0.1, 10.0, 0.5], flag, steps)
        schedule_case(f, "polynomial" + ("_cycle" if flag else ""), 2,
                      lambda a, b, c, d, x=flag: S.PolynomialDecay(a, b, c, d, x), [0.1, 10.0, 0.01, 2.0], flag, steps)
    schedule_case(f, "polynomial_linear", 2, lambda a, b, c, d: S.PolynomialDecay(a, b, c, d), [0.1, 7.0, 0.0, 1.0],
                  False, steps)
    boundaries, values = [2, 9, 20], [1.0, 0.5, 0.1, 0.01]
    schedule_case(f, "piecewise", 1, lambda a: S.PiecewiseConstantDecay(boundaries, [as_float32(v) for v in values]),
                  [0.0], False, steps, [boundaries, values])
    schedule_case(f, "cosine", 4, lambda a, b, c: S.CosineDecay(a, b, c), [0.1, 20.0, 0.125], False, steps)
    schedule_case(f, "cosine_warmup", 4,
                  lambda a, b, c, d, e: S.CosineDecay(a, b, c, warmup_target=d, warmup_steps=e),
                  [0.01, 20.0, 0.0, 0.1, 10.0], False, steps)
    for name, t, m in [("one", 1.0, 0.5), ("two", 2.0, 0.75), ("three", 3.0, 1.0)]:
        late = [s for s in steps if t != 3.0 or s != 1000]
        schedule_case(f, "restarts_" + name, 5, lambda a, b, c, d, e: S.CosineDecayRestarts(a, b, c, d, e),
                      [0.1, 10.0, t, m, 0.0625], False, late)


# ---- Clipping ----


def clipping(f):
    random = Random("training/clipping")
    a, b = random.uniform((2, 3)), random.uniform((4,))
    for name, c in [("shorter", 1.5), ("untouched", 50.0)]:
        f.case(name, "clip_by_norm", lambda x, c=c: tf.clip_by_norm(x, c), [a], reals=[c])
        joined = lambda x, y, c=c: tf.concat(
            [tf.reshape(t, [-1]) for t in tf.clip_by_global_norm([x, y], c)[0]] +
            [[tf.linalg.global_norm([x, y])]], 0)
        f.case(name, "clip_by_global_norm", joined, [a, b], reals=[c])
    f.exact("zeros", "clip_by_norm", [np.zeros((2, 2), np.float32)], [np.zeros((2, 2))], reals=[1.0], bounds=[0.0])
    infinite = np.float32([1, np.inf, 2])
    f.exact("infinite", "clip_by_global_norm", [infinite, b], [np.float64([np.nan] * 7 + [np.inf])], reals=[1.0],
            bounds=[0.0])


def families():
    f = Family("training")
    optimizers(f)
    schedules(f)
    clipping(f)
    return [f]
