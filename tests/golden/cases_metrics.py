# SPDX-License-Identifier: Apache-2.0
"""Goldens of the metrics over three batches: Keras' own classes in float64."""

import keras
import numpy as np

from cases_losses import LOSSES
from engine import Family, Random, bound, nudged

M = keras.metrics
# In the order of make_metric in golden_losses.c; losses come after 100.
METRICS = {"mean": M.Mean, "sum": M.Sum, "accuracy": M.Accuracy, "binary_accuracy": M.BinaryAccuracy,
           "categorical_accuracy": M.CategoricalAccuracy, "sparse_categorical_accuracy": M.SparseCategoricalAccuracy,
           "top_k_categorical_accuracy": M.TopKCategoricalAccuracy,
           "sparse_top_k_categorical_accuracy": M.SparseTopKCategoricalAccuracy,
           "root_mean_squared_error": M.RootMeanSquaredError, "precision": M.Precision, "recall": M.Recall,
           "auc": M.AUC}
OF_LOSSES = {"mean_squared_error": M.MeanSquaredError, "mean_absolute_error": M.MeanAbsoluteError,
             "mean_absolute_percentage_error": M.MeanAbsolutePercentageError,
             "mean_squared_logarithmic_error": M.MeanSquaredLogarithmicError,
             "cosine_similarity": M.CosineSimilarity, "log_cosh": M.LogCoshError, "hinge": M.Hinge,
             "squared_hinge": M.SquaredHinge, "categorical_hinge": M.CategoricalHinge,
             "kl_divergence": M.KLDivergence, "poisson": M.Poisson, "binary_crossentropy": M.BinaryCrossentropy,
             "categorical_crossentropy": M.CategoricalCrossentropy,
             "sparse_categorical_crossentropy": M.SparseCategoricalCrossentropy}
CURVES, SUMMATIONS = ["ROC", "PR"], ["interpolation", "majoring", "minoring"]


def metric_case(f, metric, name, inputs, smooth=False, **options):
    """`smooth`: the result moves with the inputs, so they are nudged."""
    cls = METRICS.get(metric) or OF_LOSSES[metric]
    cast = lambda v: float(np.float32(v))

    def results(arrays, dtype):
        keras.backend.set_floatx(dtype)
        o = {k: [cast(x) for x in v] if isinstance(v, list) else v for k, v in options.items()}
        m = cls(**o, dtype=dtype)
        out = []
        for batch in zip(*arrays):
            # TensorFlow's in_top_k takes float32 alone; what it counts is exact.
            wide = "float32" if "top_k_categorical" in metric else dtype
            m.update_state(*[np.asarray(x, wide) if np.asarray(x).dtype.kind == "f" else x for x in batch])
            out.append(np.asarray(m.result(), np.float64))
        keras.backend.set_floatx("float32")
        return np.stack(out)

    generator = Random(f"metrics/{metric}/{name}").generator
    truth, single = results(inputs, "float64"), results(inputs, "float32")
    moved = [results([nudged(a, generator) for a in inputs], "float64") for _ in range(4 if smooth else 0)]
    thresholds = options.get("thresholds") or ([options["threshold"]] if "threshold" in options else [])
    which = list(METRICS).index(metric) if metric in METRICS else 100 + list(LOSSES).index(metric)
    f.exact(f"{metric}_{name}", "metric", inputs, [truth], reals=[options.get("label_smoothing", 0.0), *thresholds],
            attrs=[which, options.get("from_logits", False),
                   options.get("k") or options.get("top_k") or options.get("num_thresholds") or 0,
                   options.get("class_id", -1), CURVES.index(options.get("curve", "ROC")),
                   SUMMATIONS.index(options.get("summation_method", "interpolation")), len(thresholds)],
            bounds=[bound(truth, [single], moved)])


def families():
    f = Family("metrics")
    r = Random("metrics")
    values, weight = r.uniform((3, 4)), r.uniform((3, 4), 0.25, 2)
    for metric in ("mean", "sum"):
        metric_case(f, metric, "plain", [values], smooth=True)
        metric_case(f, metric, "weighted", [values, weight], smooth=True)
        metric_case(f, metric, "rows", [r.uniform((3, 4, 2)), weight], smooth=True)
        metric_case(f, metric, "columns", [r.uniform((3, 4, 2)), weight[:, :, None]], smooth=True)

    labels = r.integers((3, 4), 0, 5)
    hot = np.eye(5, dtype=np.int32)[labels]
    scores = r.uniform((3, 4, 5), -3, 3)
    scores[0, 0, :] = 1  # a tie
    for metric, t, more in [("categorical_accuracy", hot, {}), ("sparse_categorical_accuracy", labels, {}),
                            ("top_k_categorical_accuracy", hot, {"k": 2}),
                            ("sparse_top_k_categorical_accuracy", labels, {"k": 2})]:
        metric_case(f, metric, "plain", [t, scores], **more)
        metric_case(f, metric, "weighted", [t, scores, weight], **more)
    metric_case(f, "accuracy", "plain", [labels, r.integers((3, 4), 0, 5)])
    bits, p = r.integers((3, 4), 0, 2), r.uniform((3, 4), 0.02, 0.98)
    p[1, 1] = 0.5  # not above the threshold
    metric_case(f, "binary_accuracy", "plain", [bits, p])
    metric_case(f, "binary_accuracy", "column", [bits, p[:, :, None], weight], threshold=0.25)
    metric_case(f, "root_mean_squared_error", "plain", [values, p], smooth=True)
    metric_case(f, "root_mean_squared_error", "weighted", [values, p, weight], smooth=True)

    q = r.uniform((3, 4, 5), 0.02, 0.98)
    some = r.integers((3, 4, 5), 0, 2)
    for metric in ("precision", "recall"):
        metric_case(f, metric, "plain", [bits, p])
        metric_case(f, metric, "weighted", [bits, p, weight])
        metric_case(f, metric, "thresholds", [some, q, weight], thresholds=[0.1, 0.25, 0.7])
        metric_case(f, metric, "even", [some, q], thresholds=[0.0, 0.5, 1.0])
        metric_case(f, metric, "top_k", [some, q], top_k=2)
        metric_case(f, metric, "class", [some, q, weight], class_id=3)
        metric_case(f, metric, "nothing", [np.zeros((3, 4), np.int32), p * np.float32(0.5)])
    for curve in CURVES:
        for summation in SUMMATIONS:
            metric_case(f, "auc", f"{curve}_{summation}".lower(), [some, q, weight], curve=curve,
                        summation_method=summation, num_thresholds=21)
    metric_case(f, "auc", "default", [bits, p])
    metric_case(f, "auc", "logits", [bits, r.uniform((3, 4), -3, 3)], from_logits=True)
    metric_case(f, "auc", "edges", [bits, np.float32([[0, 1, 0.5, 1.5], [0, 0, 1, -1], [0.25, 0.75, 1, 0]])])
    metric_case(f, "auc", "own", [bits, p, weight], thresholds=[0.7, 0.1, 0.25])

    t, u = r.uniform((3, 4, 2), 0.1, 1), r.uniform((3, 4, 2), 0.1, 1)
    for metric in OF_LOSSES:
        if metric == "sparse_categorical_crossentropy":
            inputs = [labels, scores]
        elif metric in ("categorical_crossentropy", "categorical_hinge"):
            inputs = [hot, scores]
        else:
            inputs = [t, u]
        more = {"from_logits": True} if "categorical_cross" in metric else {}
        metric_case(f, metric, "weighted", [*inputs, weight], smooth=True, **more)
    return [f]
