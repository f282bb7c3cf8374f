# SPDX-License-Identifier: Apache-2.0
"""Goldens of ctc_loss: every path through the classes is tried, and those that collapse to the label are summed."""

import itertools

import numpy as np
import tensorflow as tf

from engine import Family, Random


def collapsed(path, blank):
    return [c for c, _ in itertools.groupby(path) if c != blank]


def every_path(labels, logits, label_length, logit_length, blank):
    losses = []
    for row in range(len(labels)):
        wanted, steps = list(labels[row][:label_length[row]]), int(logit_length[row])
        logs = tf.nn.log_softmax(logits[row])
        paths = [p for p in itertools.product(range(logits.shape[2]), repeat=steps) if collapsed(p, blank) == wanted]
        terms = [tf.add_n([logs[t, c] for t, c in enumerate(p)]) for p in paths]
        losses.append(-tf.reduce_logsumexp(tf.stack(terms)))
    return tf.stack(losses)


def families():
    f = Family("ctc")
    for name, labels, label_length, time, logit_length, classes, blank in [
            ("two", [[1, 2], [2, 2]], [2, 2], 4, [4, 4], 3, 0), ("lengths", [[0, 0], [1, 0], [1, 0]], [0, 1, 2], 4, [2, 3, 4], 3, 2),
            ("one_step", [[1]], [1], 1, [1], 2, 0), ("no_labels", [[]], [0], 3, [3], 2, 1)]:
        x = Random(f"ctc/{name}").uniform((len(labels), time, classes))
        labels = np.array(labels, np.int32).reshape(len(label_length), -1)
        lengths = np.int32(label_length), np.int32(logit_length)
        f.case(name, "ctc_loss", lambda _, x, *__, a=labels, n=lengths, b=blank: every_path(a, x, *n, b),
               [labels, x, *lengths], attrs=[blank])
    f.exact("too_short", "ctc_loss", [np.int32([[1, 1]]), np.zeros((1, 2, 3), np.float32), np.int32([2]), np.int32([2])],
            [np.float32([np.inf])], attrs=[0])
    return [f]
