#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains a small MLP with Keras from weights that a formula gives, and writes down losses, histories, the order of the
hooks, and what is drawn on a screen: keras/fit.golden. tests/test_fit_keras.c does the same in C.

    python tests/golden/keras_fit.py          # writes the file anew; requirements.txt
"""
import os
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
import types

import keras
import numpy as np
from keras.src.utils import io_utils, progbar

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES, FEATURES, CLASSES = 90, 8, 4


def formula(count, seed):
    return np.array([((i * 37 + seed * 11) % 101 - 50) / 125 for i in range(count)], np.float32)


def data():
    x = formula(SAMPLES * FEATURES, 3).reshape(SAMPLES, FEATURES) * np.float32(2)
    y = np.array([i * 7 % 5 % CLASSES for i in range(SAMPLES)], np.int32)
    x[np.arange(SAMPLES), y] += np.float32(0.5)
    return x, y, np.array([i % 4 * 0.5 for i in range(SAMPLES)], np.float32)


def make_model(optimizer=None):
    model = keras.Sequential([
        keras.Input((FEATURES,)),
        keras.layers.Dense(16, activation="relu", kernel_regularizer=keras.regularizers.L2(0.001)),
        keras.layers.Dense(12, activation="tanh"),
        keras.layers.Dense(CLASSES)])
    model.set_weights([formula(w.size, i).reshape(w.shape) for i, w in enumerate(model.get_weights())])
    model.compile(optimizer or keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")])
    return model


def numbers(values):
    return " ".join(repr(float(np.float32(v))) for v in values)


def batch_of(step):
    begin = step * 16 % 80
    return slice(begin, begin + 16)


def losses():
    """The loss of a hundred steps of Adam (Keras' rate, 0.001), by Keras and, in float64, by hand."""
    model, (x, y, _) = make_model(keras.optimizers.Adam()), data()
    weights = [w.astype(np.float64) for w in model.get_weights()]
    result = []
    for step in range(100):
        model.reset_metrics()
        result.append(model.train_on_batch(x[batch_of(step)], y[batch_of(step)])[0])
    return f"losses {numbers(result)}\ntruth {' '.join(map(repr, truth(weights, x.astype(np.float64), y)))}\n"


def truth(weights, x_all, y_all):
    """The same network and optimizer in numpy, float64 (TensorFlow puts float32 constants into its float64 runs)."""
    m = [np.zeros_like(w) for w in weights]
    v = [np.zeros_like(w) for w in weights]
    result = []
    for step in range(100):
        x, y = x_all[batch_of(step)], y_all[batch_of(step)]
        w1, b1, w2, b2, w3, b3 = weights
        h1 = np.maximum(x @ w1 + b1, 0)
        h2 = np.tanh(h1 @ w2 + b2)
        logits = h2 @ w3 + b3
        e = np.exp(logits - logits.max(1, keepdims=True))
        p = e / e.sum(1, keepdims=True)
        rows = np.arange(len(y))
        result.append(float(-np.log(p[rows, y]).mean() + 0.001 * (w1 * w1).sum()))
        d = p.copy()
        d[rows, y] -= 1
        d /= len(y)
        d2 = d @ w3.T * (1 - h2 * h2)
        d1 = d2 @ w2.T * (h1 > 0)
        gradients = [x.T @ d1 + 0.002 * w1, d1.sum(0), h1.T @ d2, d2.sum(0), h2.T @ d, d.sum(0)]
        t = step + 1
        for i, g in enumerate(gradients):
            m[i] += (g - m[i]) * (1 - 0.9)
            v[i] += (g * g - v[i]) * (1 - 0.999)
            rate = 0.001 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            weights[i] = weights[i] - rate * m[i] / (np.sqrt(v[i]) + 1e-7)
    return result


class Trace(keras.callbacks.Callback):
    """Notes every hook, its number and the names of its logs."""

    def __init__(self, stop_at):
        super().__init__()
        self.text, self.stop_at = "", stop_at

    def note(self, hook, number, logs):
        self.text += f" {hook}({'' if number is None else number};{','.join(logs or {})})"


def add_hook(name):
    def hook(self, *arguments, logs=None):
        if arguments and not isinstance(arguments[-1], (int, np.integer)):
            *arguments, logs = arguments
        self.note(name, arguments[0] if arguments else None, logs)
        if name == "on_train_batch_end" and arguments[0] == self.stop_at:
            self.model.stop_training = True
    setattr(Trace, name, hook)


for place in ["train", "test", "predict"]:
    for kind in ["begin", "end"]:
        add_hook(f"on_{place}_{kind}")
        add_hook(f"on_{place}_batch_{kind}")
add_hook("on_epoch_begin")
add_hook("on_epoch_end")


def fit(name, stop_at=-1, **options):
    model, (x, y, weight) = make_model(), data()
    trace = Trace(stop_at)
    if options.pop("weighted", False):
        options["sample_weight"] = weight
    history = model.fit(x, y, shuffle=False, verbose=0, callbacks=[trace], **options)
    lines = f"trace {name}{trace.text}\n"
    lines += f"epochs {name} {numbers(history.epoch)}\n"
    for key, values in history.history.items():
        lines += f"history {name}.{key} {numbers(values)}\n"
    return lines


class Clock(keras.callbacks.Callback):
    """A tenth of a second passes in each batch, and nowhere else."""

    now = 1000.0

    def pass_time(self, batch, logs=None):
        Clock.now += 0.1

    on_train_batch_begin = on_test_batch_begin = on_predict_batch_begin = pass_time


def screen(name, what, terminal=True, **options):
    """What is written on a screen, or to a file: one line of the golden, with the escapes of Python."""
    written = []
    io_utils.print_msg = lambda text, line_break=True: written.append(text + "\n" * line_break)
    progbar.time = types.SimpleNamespace(time=lambda: Clock.now)
    progbar.sys = types.SimpleNamespace(stdout=types.SimpleNamespace(isatty=lambda: terminal), modules={})
    model, (x, y, _) = make_model(), data()
    if what == "fit":
        model.fit(x, y, shuffle=False, callbacks=[Clock()], **options)
    elif what == "evaluate":
        model.evaluate(x, y, callbacks=[Clock()], **options)
    else:
        model.predict(x, callbacks=[Clock()], **options)
    return f"screen {name} {ascii(''.join(written))[1:-1]}\n"


def main():
    warnings.simplefilter("ignore")
    text = f"# made by tests/golden/keras_fit.py with keras {keras.__version__}\n" + losses()
    text += fit("plain", epochs=3, batch_size=32)
    text += fit("split", epochs=3, batch_size=20, validation_split=0.2, validation_freq=2)
    text += fit("weights", epochs=2, batch_size=25, weighted=True, validation_split=0.1, validation_batch_size=4)
    text += fit("classes", epochs=2, batch_size=30, class_weight={0: 2.0, 3: 0.25})
    text += fit("steps", epochs=4, batch_size=30, steps_per_epoch=2)
    text += fit("later", epochs=5, initial_epoch=3, batch_size=64)
    text += fit("stop", epochs=3, batch_size=30, stop_at=1, validation_split=0.2, validation_steps=1)
    text += screen("bar", "fit", epochs=2, batch_size=20, verbose=1, validation_split=0.2)
    text += screen("lines", "fit", terminal=False, epochs=2, batch_size=30, verbose=1)
    text += screen("summary", "fit", epochs=3, batch_size=20, verbose=2, validation_split=0.2, validation_freq=2)
    text += screen("once", "fit", batch_size=50, verbose=1)
    text += screen("short", "fit", epochs=2, batch_size=30, steps_per_epoch=2, verbose=1)
    text += screen("evaluate", "evaluate", batch_size=40, verbose=1)
    text += screen("evaluate2", "evaluate", batch_size=40, verbose=2)
    text += screen("predict", "predict", batch_size=40, verbose=1)
    with open(os.path.join(HERE, "keras", "fit.golden"), "w", encoding="utf-8") as file:
        file.write(text)


main()
