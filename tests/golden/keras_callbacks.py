#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Drives Keras' own callbacks with sequences of logs and writes down what they decide: keras/callbacks.golden.

    python tests/golden/keras_callbacks.py          # writes the file anew; requirements.txt

One line a case: the callback, its options, the values that it monitors epoch by epoch ("-" where there is none),
and, after "->", what happened. Messages follow, a tab before each, line ends written as \\n.
"""
import os
import random
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
from keras.src.utils import io_utils

HERE = os.path.dirname(os.path.abspath(__file__))
messages = []
io_utils.print_msg = lambda text, line_break=True: messages.append(text)
warnings.simplefilter("ignore")


class Model:
    """What callbacks need of a model: weights that are the number of the epoch."""

    def __init__(self, learning_rate=0.5):
        self.optimizer = keras.optimizers.SGD(learning_rate)
        self.metrics, self.stop_training, self.weights, self.saved = [], False, -1, []

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights

    def save_weights(self, path, overwrite):
        self.saved.append(os.path.basename(path))


def number(value):
    return "-" if value is None else repr(float(value))


def drive(callback, model, values, at_epoch=lambda epoch: None):
    """fit, as far as callbacks see it. Returns the number of epochs that ran."""
    messages.clear()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        model.weights = epoch
        logs = {} if value is None else {"watched": float(value)}
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, logs)
        at_epoch(epoch)
        if model.stop_training:
            break
    callback.on_train_end(logs)
    return epoch + 1


def written(kind, options, values, result):
    words = [f"{name}={value}" for name, value in options.items()]
    tail = "".join("\t" + text.replace("\n", "\\n") for text in messages)
    return f"{kind} {' '.join(words)} : {' '.join(map(number, values))} -> {result}{tail}\n"


def early_stopping(options, values):
    keras_options = {k: v for k, v in options.items() if k not in ("restore", "baseline", "start")}
    callback = keras.callbacks.EarlyStopping(
        monitor="watched", verbose=1, restore_best_weights=bool(options["restore"]),
        baseline=None if options["baseline"] == "none" else options["baseline"],
        start_from_epoch=options["start"], **keras_options)
    model = Model()
    ran = drive(callback, model, values)
    return written("early_stopping", options, values,
                   f"ran={ran} stopped_epoch={callback.stopped_epoch} best_epoch={callback.best_epoch} "
                   f"best={number(callback.best)} weights={model.weights}")


def reduce_lr(options, values):
    callback = keras.callbacks.ReduceLROnPlateau(monitor="watched", verbose=1, **options)
    model = Model()
    rates = []
    drive(callback, model, values, lambda epoch: rates.append(float(model.optimizer.learning_rate)))
    return written("reduce_lr", options, values, f"wait={callback.wait} rates={','.join(map(repr, rates))}")


def checkpoint(options, values):
    callback = keras.callbacks.ModelCheckpoint(
        options["path"], monitor="watched", verbose=1, save_weights_only=True, mode=options["mode"],
        save_best_only=bool(options["best_only"]),
        initial_value_threshold=None if options["threshold"] == "none" else options["threshold"])
    model = Model()
    drive(callback, model, values)
    return written("checkpoint", options, values, f"saved={','.join(model.saved)}")


def sequence(draw, length):
    """Values on a coarse grid, so that equal ones are frequent; some NaN, Inf, missing."""
    values = [draw.choice([0.25, 0.5, 0.75, 1.0, 1.25, 1.5]) + draw.choice([0, 0, 0.0625, 1e-7]) for _ in range(length)]
    for i in range(length):
        chance = draw.random()
        if chance < 0.06:
            values[i] = draw.choice([float("nan"), float("inf"), float("-inf"), None])
    return values


def main():
    draw = random.Random(5)
    nan = float("nan")
    lines = []
    plain = dict(mode="min", min_delta=0, patience=0, baseline="none", start=0, restore=1)
    lines.append(early_stopping(plain, [1, 2]))
    lines.append(early_stopping(plain, [nan, 1, 2]))
    lines.append(early_stopping({**plain, "patience": 2}, [1, nan, nan, 0.5]))
    lines.append(early_stopping({**plain, "patience": 2, "min_delta": 0.1}, [1, 0.9, 0.8, 0.71, 0.7, 0.6, 0.6, 0.6]))
    lines.append(early_stopping({**plain, "patience": 3, "baseline": 0.5}, [1, 0.9, 0.8, 0.7, 0.6]))
    lines.append(early_stopping({**plain, "patience": 1, "start": 3}, [1, 2, 3, 2, 3, 4]))
    lines.append(early_stopping({**plain, "mode": "max", "patience": 1, "restore": 0}, [1, 2, 2, 3]))
    lines.append(early_stopping({**plain, "patience": 2}, [1, 0.5, 0.25]))
    for _ in range(50):
        options = dict(mode=draw.choice(["min", "max"]), min_delta=draw.choice([0, 0, 0.25, 1e-7, 0.1]),
                       patience=draw.randrange(5), baseline=draw.choice(["none", "none", 0.5, 1.0]),
                       start=draw.choice([0, 0, 2]), restore=draw.randrange(2))
        lines.append(early_stopping(options, sequence(draw, draw.randrange(2, 14))))
    for _ in range(50):
        options = dict(mode=draw.choice(["min", "max"]), factor=draw.choice([0.5, 0.1, 0.9]),
                       patience=draw.randrange(1, 4), min_delta=draw.choice([1e-4, 0.25, 1e-8]),
                       cooldown=draw.randrange(3), min_lr=draw.choice([0.0, 0.001, 0.1]))
        lines.append(reduce_lr(options, sequence(draw, draw.randrange(2, 20))))
    for _ in range(30):
        path = draw.choice(["w.weights.h5", "{epoch:02d}.weights.h5", "a{epoch}-{watched:.2f}.weights.h5",
                            "{watched:.3e}{epoch:3d}.weights.h5"])
        options = dict(path=path, mode=draw.choice(["min", "max"]), best_only=draw.randrange(2),
                       threshold=draw.choice(["none", "none", 0.75]))
        values = sequence(draw, draw.randrange(1, 9))
        lines.append(checkpoint(options, [1.0 if v is None and "watched" in path else v for v in values]))
    with open(os.path.join(HERE, "keras", "callbacks.golden"), "w", encoding="utf-8") as file:
        file.write(f"# made by tests/golden/keras_callbacks.py with keras {keras.__version__}\n")
        file.writelines(lines)


main()
