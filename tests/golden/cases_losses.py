# SPDX-License-Identifier: Apache-2.0
"""Goldens of the losses, with gradients of both orders: Keras' own classes in float64."""

import keras
import numpy as np
import tensorflow as tf

from engine import Family, Random

K = keras.losses
# In the order of `losses` in golden_losses.c.
LOSSES = {"sparse_categorical_crossentropy": K.SparseCategoricalCrossentropy,
          "categorical_crossentropy": K.CategoricalCrossentropy, "binary_crossentropy": K.BinaryCrossentropy,
          "kl_divergence": K.KLDivergence, "hinge": K.Hinge, "squared_hinge": K.SquaredHinge,
          "categorical_hinge": K.CategoricalHinge, "mean_squared_error": K.MeanSquaredError,
          "mean_absolute_error": K.MeanAbsoluteError,
          "mean_absolute_percentage_error": K.MeanAbsolutePercentageError,
          "mean_squared_logarithmic_error": K.MeanSquaredLogarithmicError, "huber": K.Huber, "log_cosh": K.LogCosh,
          "poisson": K.Poisson, "cosine_similarity": K.CosineSimilarity}
REDUCTIONS = ["sum_over_batch_size", "sum", "none", "mean_with_sample_weight"]


def loss_case(f, name, loss, y_true, y_pred, weight=None, reduction="sum_over_batch_size", order=2, kink=False,
              **options):
    def function(*xs):
        t, p = xs[:2]
        layer = LOSSES[loss](reduction=reduction, dtype=p.dtype.name,
                             **{k: float(np.float32(v)) if isinstance(v, float) else v for k, v in options.items()})
        # Class numbers and one-hot labels stay integers; all else has the predictions' type.
        return layer(t if t.dtype.is_integer else tf.cast(t, p.dtype), p, *xs[2:])

    inputs = [y_true, y_pred] + ([weight] if weight is not None else [])
    f.case(f"{loss}_{name}", "loss", function, inputs, order=order, kink=kink,
           attrs=[list(LOSSES).index(loss), options.get("from_logits", False), REDUCTIONS.index(reduction)],
           reals=[options.get("label_smoothing", 0.0), options.get("delta", 0.0)])


def one_hot(labels, classes):
    return np.eye(classes, dtype=np.int32)[labels]


def classes(f):
    random = Random("losses/classes")
    labels = random.integers((3,), 0, 4)
    logits = random.uniform((3, 4), -3, 3)
    p = random.uniform((3, 4), 0.1, 1)
    weight = random.uniform((3,), 0.25, 2)
    for loss, t in [("sparse_categorical_crossentropy", labels), ("categorical_crossentropy", one_hot(labels, 4))]:
        loss_case(f, "logits", loss, t, logits, from_logits=True)
        # The sparse one clips first: stay inside, where the order makes no difference to the gradient's scale.
        loss_case(f, "probabilities", loss, t, p / np.float32(4))
        for reduction in REDUCTIONS:
            loss_case(f, "weighted_" + reduction, loss, t, logits, weight, reduction, order=1, from_logits=True)
    loss_case(f, "column", "sparse_categorical_crossentropy", labels[:, None], logits, from_logits=True, order=1)
    loss_case(f, "sequence", "sparse_categorical_crossentropy", random.integers((2, 3), 0, 4),
              random.uniform((2, 3, 4)), random.uniform((2, 3), 0.25, 2), from_logits=True, order=1)
    loss_case(f, "smooth", "categorical_crossentropy", one_hot(labels, 4), logits, from_logits=True,
              label_smoothing=0.125)
    loss_case(f, "smooth_p", "categorical_crossentropy", one_hot(labels, 4), p, label_smoothing=0.125)

    bits = random.integers((3, 2), 0, 2)
    scores, q = random.uniform((3, 2), -4, 4), random.uniform((3, 2), 0.1, 0.9)
    scores[0, 0] = 0
    for name, options in [("", {}), ("_smooth", {"label_smoothing": 0.25})]:
        loss_case(f, "logits" + name, "binary_crossentropy", bits, scores, from_logits=True, **options)
        loss_case(f, "probabilities" + name, "binary_crossentropy", bits, q, **options)
    loss_case(f, "soft", "binary_crossentropy", random.uniform((3, 2), 0.1, 0.9), q)
    loss_case(f, "large", "binary_crossentropy", np.int32([[0, 1], [1, 0]]), np.float32([[90, 80], [-85, -60]]),
              from_logits=True, order=1)
    loss_case(f, "column", "binary_crossentropy", bits[:, 0], q[:, :1], weight, order=1)

    t = random.uniform((3, 4), 0.1, 1)
    loss_case(f, "two", "kl_divergence", t, p)
    loss_case(f, "clipped", "kl_divergence", np.float32([[0, 0.25, 1.5]]), np.float32([[0.5, 0, 0.25]]), order=0)
    signs = np.where(bits == 1, np.float32(1), np.float32(-1))
    for loss in ("hinge", "squared_hinge"):
        loss_case(f, "signs", loss, signs, scores / np.float32(2))
        loss_case(f, "bits", loss, bits, scores / np.float32(2))
    loss_case(f, "three", "categorical_hinge", one_hot(labels, 4), logits)
    loss_case(f, "weighted", "categorical_hinge", one_hot(labels, 4), logits, weight, order=1)


def regression(f):
    random = Random("losses/regression")
    t, p = random.uniform((3, 2)), random.uniform((3, 2))
    weight = random.uniform((3,), 0.25, 2)
    positive = lambda: random.uniform((3, 2), 0.25, 2)
    for loss in ("mean_squared_error", "mean_absolute_error", "huber", "log_cosh", "cosine_similarity"):
        loss_case(f, "two", loss, t, p)
        loss_case(f, "weighted", loss, t, p, weight, order=1)
    loss_case(f, "two", "mean_absolute_percentage_error", positive(), positive())
    loss_case(f, "two", "mean_squared_logarithmic_error", positive(), positive())
    loss_case(f, "two", "poisson", positive(), positive())
    loss_case(f, "delta", "huber", t, p, delta=0.5)
    loss_case(f, "equal", "log_cosh", t, t, kink=True)
    loss_case(f, "large", "log_cosh", np.float32([[100, -100]]), np.float32([[-100, 100]]), order=1)
    loss_case(f, "column", "mean_squared_error", t[:, 0], p[:, :1], order=1)
    loss_case(f, "row", "mean_squared_error", t[:, :1], p[:, 0], order=1)
    for reduction in REDUCTIONS[1:]:
        loss_case(f, reduction, "mean_squared_error", t, p, weight, reduction, order=1)
    loss_case(f, "weight_column", "mean_squared_error", t, p, weight[:, None], "mean_with_sample_weight", order=1)
    loss_case(f, "weight_one", "mean_squared_error", random.uniform((2, 3, 2)), random.uniform((2, 3, 2)),
              random.uniform((2, 1), 0.25, 2), "mean_with_sample_weight", order=1)
    loss_case(f, "weight_zero", "mean_squared_error", t, p, np.zeros(3, np.float32), "mean_with_sample_weight",
              order=0)
    loss_case(f, "zeros", "cosine_similarity", np.zeros((1, 2), np.float32), p[:1], order=0)


def families():
    f = Family("losses")
    classes(f)
    regression(f)
    return [f]
